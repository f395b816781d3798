"""Processes of clients that begin together, and whose outcomes come as they are."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from typing import Any

from octoverse.cli.bench.load import Failed, Load, Outcome, work
from octoverse.errors import OctoverseError

_GOODBYE_S = 5.0


class Crowd:
    """Asks a policy server with as many clients as the load says; for the main thread.

    Args:
        load: What they do.
    """

    def __init__(self, load: Load) -> None:
        self.processes = min(load.clients, os.cpu_count() or 1)
        self._seconds, self._timeout = load.seconds, load.timeout
        self._lines: list[Connection] = []
        self._workers: list[Any] = []
        self._begin = self._end = time.monotonic()
        context = get_context("spawn")  # threads and sockets do not survive a fork
        with _deaf():
            for first in range(self.processes):
                ours, theirs = context.Pipe()
                clients = range(first, load.clients, self.processes)
                worker = context.Process(target=work, args=(theirs, load, clients), daemon=True)
                worker.start()
                theirs.close()
                self._lines.append(ours)
                self._workers.append(worker)

    @property
    def elapsed(self) -> float:
        """For how long they have been asking [s]."""
        return max(0.0, min(time.monotonic(), self._end) - self._begin)

    def begin(self) -> None:
        """Wait until the server has welcomed all, and let them ask.

        Raises:
            OctoverseError: if one of them cannot ask; the message says why.
        """
        for line in self._lines:
            self._read(line)
        self._begin = time.monotonic()
        self._end = self._begin + self._seconds
        for line in self._lines:
            line.send(self._begin)

    def outcomes(self) -> Iterator[list[Outcome]]:
        """What became of the requests, until all clients are done.

        Raises:
            OctoverseError: if a process of clients dies, or a client cannot go on.
        """
        open_ = list(self._lines)
        while open_:
            for line in wait(open_):
                assert isinstance(line, Connection)
                outcomes = self._read(line)
                if outcomes is None:
                    open_.remove(line)
                else:
                    yield outcomes

    def stop(self) -> None:
        """Let no client ask again; what was asked is still answered."""
        self._end = min(self._end, time.monotonic())
        for line in self._lines:
            try:
                line.send(None)
            except OSError:
                pass  # it is done

    def _read(self, line: Connection) -> list[Outcome] | None:
        try:
            said: list[Outcome | Failed] | None = line.recv()
        except (EOFError, OSError):
            raise OctoverseError(
                "a process of clients died; what it wrote last is above. If that is nothing, "
                "memory may have run out: ask for fewer clients."
            ) from None
        for one in said or ():
            if isinstance(one, Failed):
                raise OctoverseError(one.words)
        return said  # type: ignore[return-value]

    def __enter__(self) -> "Crowd":
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()
        until = time.monotonic() + self._timeout + _GOODBYE_S
        for line, worker in zip(self._lines, self._workers, strict=True):
            line.close()
            worker.join(max(0.0, until - time.monotonic()))
            if worker.is_alive():
                worker.kill()
                worker.join()
            worker.close()


@contextmanager
def _deaf() -> Iterator[None]:
    """Processes that are started here do not hear Ctrl-C: they are told when to stop."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
