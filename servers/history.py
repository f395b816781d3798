"""Looks at a server once a second, however many others look, and remembers the last minutes."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable

import msgspec

from octoverse.servers.status import ServerStatus

logger = logging.getLogger(__name__)

_KEPT = 300
_OLD_S = 10.0


class Second(msgspec.Struct, frozen=True, kw_only=True):
    """What happened between two looks."""

    uptime_s: float
    load: float
    queue: int
    robots: int
    answers_hz: float
    missed_hz: float
    """Faults of any kind."""
    batch: float | None
    """Requests in a batch, on average; None without one."""
    median_ms: float | None
    """From receipt to answer; None without one."""
    slow_ms: float | None
    """What one answer in a hundred takes longer than."""


class History:
    """The newest status of a server, and what its figures were in the last five minutes.

    Args:
        look: Gives the status.
        every_s: How often it looks [s].
        clock: Monotonic time [s].
    """

    def __init__(
        self,
        look: Callable[[], ServerStatus],
        *,
        every_s: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.seconds: deque[Second] = deque(maxlen=_KEPT)
        self._look, self._every_s, self._clock = look, every_s, clock
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="history", daemon=True)
        self.latest = look()
        self._at = clock()

    def start(self) -> None:
        """Begin to look, in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stopping.set()
        self._thread.join()

    @property
    def trouble(self) -> str:
        """Why robots cannot be answered, in words; "" if they can."""
        if (age := self._clock() - self._at) > _OLD_S:
            return f"The server has not told its figures for {age:.0f} s."
        return "" if self.latest.healthy else self.latest.trouble

    def look(self) -> None:
        """Look once."""
        before, now = self.latest, self._look()
        took = max(now.uptime_s - before.uptime_s, 1e-3)
        answers = now.timings["total"].since(before.timings["total"])
        batches = now.batches - before.batches
        median, slow = answers.quantile(0.5), answers.quantile(0.99)
        self.seconds.append(
            Second(
                uptime_s=now.uptime_s,
                load=now.load,
                queue=now.queue,
                robots=len(now.robots),
                answers_hz=(now.answered - before.answered) / took,
                missed_hz=(sum(now.faults.values()) - sum(before.faults.values())) / took,
                batch=answers.count / batches if batches else None,
                median_ms=None if median is None else 1000 * median,
                slow_ms=None if slow is None else 1000 * slow,
            )
        )
        self.latest, self._at = now, self._clock()

    def _run(self) -> None:
        while not self._stopping.wait(self._every_s):
            try:
                self.look()
            except Exception:
                logger.exception("the server's figures could not be read")
