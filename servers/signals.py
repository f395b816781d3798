"""Be asked to end: by Ctrl-C, or by a signal."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from octoverse.errors import ServerError


@contextmanager
def end_asked() -> Iterator[threading.Event]:
    """Give an event that SIGINT and SIGTERM set; a second one ends the process at once.

    For the main thread.
    """
    asked = threading.Event()

    def ask(number: int, frame: FrameType | None) -> None:
        if asked.is_set():
            os._exit(128 + number)
        asked.set()

    before = {s: signal.signal(s, ask) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def wait(asked: threading.Event, alive: Callable[[], bool]) -> None:
    """Wait to be asked.

    Raises:
        ServerError: if what serves meanwhile is no longer alive.
    """
    while not asked.wait(1.0):
        if not alive():
            raise ServerError("The server's socket broke; the log says why.")
