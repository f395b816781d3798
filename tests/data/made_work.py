"""Made-up work for worker processes."""

import os

from octoverse.errors import BadData


def times(shared: int, task: int) -> int:
    return shared * task


def process(shared: None, task: int) -> int:
    return os.getpid()


def fail(shared: int, task: int) -> int:
    if task == shared:
        raise BadData(f"task {task} is bad")
    return task


def die(shared: None, task: int) -> int:
    os._exit(3)
