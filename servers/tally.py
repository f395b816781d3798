"""What an engine has done so far: how many requests, how long they took, how busy it was."""

import threading
import time
from collections import deque
from collections.abc import Mapping

from octoverse.servers import histogram
from octoverse.servers.batcher import Waiting
from octoverse.servers.histogram import Histogram
from octoverse.wire import Timing

_LOAD_S = 10.0
_AT_ONCE = 512


class Tally:
    """Counts batches and answers; the thread that computes adds, others look.

    The counts are added to before a robot hears of it, the timings while it does not wait.
    """

    def __init__(self) -> None:
        self.answered = self.batches = 0
        self._timings = {
            name: histogram.seconds() for name in ("total", "queued", "prepared", "inference")
        } | {"batch": histogram.sizes()}
        self._new: deque[tuple[str, float]] = deque()
        """Figures that are not in them yet: many at once are counted faster."""
        self._counting = threading.Lock()
        self._busy: deque[tuple[float, float]] = deque()

    @property
    def timings(self) -> Mapping[str, Histogram]:
        """How long requests took [s], and how many were computed together."""
        self._count()
        return self._timings

    @property
    def load(self) -> float:
        """Share of the last ten seconds that the policy was busy, 0 to 1."""
        since = time.monotonic() - _LOAD_S
        return min(1.0, sum(took for end, took in list(self._busy) if end > since) / _LOAD_S)

    def computed(self, count: int, began: float, ended: float) -> None:
        """Note how long a batch of so many requests was computed, from then till then [s]."""
        self._busy.append((ended, ended - began))
        while self._busy[0][0] < ended - _LOAD_S:
            self._busy.popleft()
        self._new.append(("inference", ended - began))
        self._new.append(("batch", count))
        if len(self._new) > _AT_ONCE:
            self._count()

    def timing(self, request: Waiting, count: int, began: float, ended: float) -> Timing:
        """Say where the time of a request went that is answered now.

        Args:
            request: Which.
            count: How many were computed together.
            began: When the policy was asked [s].
            ended: When it had answered [s].
        """
        now = time.monotonic()
        return Timing(
            prepared_ms=1000 * (request.ready - request.received),
            queued_ms=1000 * (began - request.ready),
            inference_ms=1000 * (ended - began),
            total_ms=1000 * (now - request.received),
            batch=count,
            received_at_ns=round(1e9 * request.received),
            sent_at_ns=round(1e9 * now),
        )

    def took(self, timing: Timing) -> None:
        """Note how long an answer took."""
        self._new.append(("prepared", timing.prepared_ms / 1000))
        self._new.append(("queued", timing.queued_ms / 1000))
        self._new.append(("total", timing.total_ms / 1000))

    def _count(self) -> None:
        with self._counting:
            while self._new:
                name, value = self._new.popleft()
                self._timings[name].add(value)
