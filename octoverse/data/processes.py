"""Work through tasks in several processes, with what comes of them in the tasks' order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Any, TypeVar

from octoverse.data.child import live_with_parent
from octoverse.errors import BadConfig, OctoverseError
from octoverse.registry import missing_extra

Shared = TypeVar("Shared")
Task = TypeVar("Task")
Result = TypeVar("Result")

_AHEAD = 2
"""Tasks under way for each process: while one result is fetched, the next one is made."""


def in_order(
    work: Callable[[Shared, Task], Result],
    shared: Shared,
    tasks: Iterable[Task],
    processes: int = 1,
    *,
    ray: bool = False,
) -> Iterator[Result]:
    """Do all tasks; results come in the order of the tasks, whoever did them.

    Args:
        work: A function of a module: from what all tasks share, and a task, to its result.
        shared: Goes to every process once.
        tasks: Any number; taken a few ahead of the result that is waited for.
        processes: How many work at a time; with 1, this one does.
        ray: Let the processes of a Ray cluster work: the one that is configured, or this machine.

    Raises:
        BadConfig: if `processes` is not at least 1.
        MissingExtra: if Ray is asked for and not installed.
        OctoverseError: if a process dies; what `work` raises is raised here.
    """
    if processes < 1:
        raise BadConfig(f"processes must be at least 1, got {processes}.")
    if ray:
        return _with_ray(work, shared, tasks, processes)
    if processes == 1:
        return (work(shared, task) for task in tasks)
    return _with_pool(work, shared, tasks, processes)


def _with_pool(
    work: Callable[[Shared, Task], Result], shared: Shared, tasks: Iterable[Task], processes: int
) -> Iterator[Result]:
    pool = ProcessPoolExecutor(
        processes,
        mp_context=get_context("spawn"),
        initializer=_begin,
        initargs=(shared,),
    )
    waiting: deque[Future[Result]] = deque()
    try:
        for task in tasks:
            waiting.append(pool.submit(_run, work, task))
            if len(waiting) >= _AHEAD * processes:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool as error:
        raise OctoverseError(
            "A worker process died. What is done so far is kept: run the same command again, with "
            "fewer processes if memory ran out."
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _with_ray(
    work: Callable[[Shared, Task], Result], shared: Shared, tasks: Iterable[Task], processes: int
) -> Iterator[Result]:
    try:
        import ray
    except ModuleNotFoundError as error:
        raise missing_extra("--ray", error) or error from error
    if not ray.is_initialized():
        ray.init(include_dashboard=False, log_to_driver=False)
    held, remote = ray.put(shared), ray.remote(work)
    waiting: deque[Any] = deque()
    try:
        for task in tasks:
            waiting.append(remote.remote(held, task))
            if len(waiting) >= _AHEAD * processes:
                yield _got(ray, waiting.popleft())
        while waiting:
            yield _got(ray, waiting.popleft())
    finally:
        for left in waiting:
            ray.cancel(left)


def _got(ray: Any, reference: Any) -> Any:
    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from error


_held: dict[str, Any] = {}
"""In a worker: what all tasks share."""


def _begin(shared: Any) -> None:
    live_with_parent()
    _held["shared"] = shared


def _run(work: Callable[[Any, Any], Any], task: Any) -> Any:
    return work(_held["shared"], task)
