"""Decide which waiting requests a policy computes together, and when.

A batch takes what has come. It is held back, for at most `max_wait_ms`, only for robots that are
about to come back: those answered a moment ago that usually return this soon. So one robot alone
never waits, and robots in lock-step do not fall apart into two half batches.
"""

import threading
import time
from dataclasses import dataclass
from typing import Any

from octoverse.episode import Observation
from octoverse.servers.faults import Reply
from octoverse.servers.robots import Robot

_PATIENCE_S = 1.0
"""A request without a deadline is ordered as if it had this one, so that none starves."""
_SMOOTHING = 0.3


@dataclass(kw_only=True, eq=False, slots=True)
class Waiting:
    """One request for action, ready to be computed."""

    robot: Robot
    """Whose it is: one batch holds one request of each."""
    observation: Observation
    memory: dict[str, Any]
    number: int
    """The client's number of the request."""
    reply: Reply
    """Takes the answer."""
    received: float
    """Monotonic time [s]."""
    ready: float
    """When its window was complete [s]."""
    deadline: float | None
    """Later than that it is stale [s]."""

    @property
    def urgency(self) -> float:
        """When it should be done [s]."""
        return self.received + _PATIENCE_S if self.deadline is None else self.deadline


class Clock:
    """The time by which a batcher decides."""

    def now(self) -> float:
        """Monotonic time [s]."""
        return time.monotonic()

    def wait(self, changed: threading.Condition, seconds: float | None = None) -> None:
        """Wait for a change, at most so long if so long is given [s]."""
        changed.wait(seconds)


class Batcher:
    """A bounded line of requests between the threads that prepare and the one that computes."""

    def __init__(
        self,
        *,
        max_batch: int = 16,
        max_wait_ms: float = 5.0,
        max_queue: int = 64,
        clock: Clock | None = None,
    ) -> None:
        if max_batch < 1 or max_queue < 1:
            raise ValueError(
                f"max_batch and max_queue must be at least 1, got {max_batch} and {max_queue}."
            )
        if max_wait_ms < 0:
            raise ValueError(f"max_wait_ms must be at least 0, got {max_wait_ms}.")
        self.max_batch, self.max_wait, self.max_queue = max_batch, max_wait_ms / 1000, max_queue
        self.inference = 0.0
        """What a batch takes lately [s]."""
        self._clock = clock or Clock()
        self._line: list[Waiting] = []
        self._changed = threading.Condition()
        self._closed = False
        self._answered: dict[Robot, float] = {}
        self._return: dict[Robot, float] = {}

    def __len__(self) -> int:
        return len(self._line)

    def put(self, request: Waiting) -> bool:
        """Add a request.

        Returns:
            Whether there was room.
        """
        with self._changed:
            if self._closed or len(self._line) >= self.max_queue:
                return False
            self._line.append(request)
            if (since := self._answered.pop(request.robot, None)) is not None:
                taken = request.ready - since
                usual = self._return.get(request.robot, taken)
                self._return[request.robot] = usual + _SMOOTHING * (taken - usual)
            self._changed.notify()
            return True

    def take(self) -> tuple[list[Waiting], list[Waiting]] | None:
        """Wait for the next batch; only the computing thread may call this.

        Returns:
            The batch, most urgent first, and those whose deadline has passed, either of which
            may be empty; None once the batcher is closed.
        """
        free = self._clock.now()
        with self._changed:
            while not self._closed:
                now = self._clock.now()
                stale = [r for r in self._line if r.deadline is not None and r.deadline < now]
                if stale:
                    self._line = [r for r in self._line if r not in stale]
                    return [], stale
                if not self._line:
                    self._clock.wait(self._changed)
                elif (hold := self._hold(free, now)) > 0:
                    self._clock.wait(self._changed, hold)
                else:
                    return self._pick(), []
            return None

    def computed(self, batch: list[Waiting], seconds: float) -> None:
        """Note that a batch has been answered, and how long it took."""
        now = self._clock.now()
        with self._changed:
            self.inference += _SMOOTHING * (seconds - self.inference) if self.inference else seconds
            for request in batch:
                self._answered[request.robot] = now

    def drop(self, robot: Robot, *, forget: bool = False) -> list[Waiting]:
        """Take out and give what waits of one robot; `forget` it if it will not come back."""
        with self._changed:
            dropped = [r for r in self._line if r.robot is robot]
            self._line = [r for r in self._line if r.robot is not robot]
            if forget:
                self._answered.pop(robot, None)
                self._return.pop(robot, None)
            return dropped

    def close(self) -> list[Waiting]:
        """Take no more requests, and give those that still wait."""
        with self._changed:
            self._closed = True
            left, self._line = self._line, []
            self._changed.notify_all()
            return left

    @property
    def retry_after_ms(self) -> float:
        """When a full line will have moved on, by a guess."""
        batches = 1 + len(self._line) // self.max_batch
        return max(1.0, 1000 * self.inference * batches)

    def _hold(self, free: float, now: float) -> float:
        """How much longer to hold the batch back for robots about to come [s]."""
        waiting = {r.robot for r in self._line}
        if len(waiting) >= self.max_batch:
            return 0.0
        since = max(free, min(r.ready for r in self._line))
        # Waiting longer than half a batch takes would cost more than the fuller batch gains.
        until = since + min(self.max_wait, self.inference / 2)
        until = min(until, min(r.urgency for r in self._line) - self.inference)
        if until <= now:
            return 0.0
        due = (
            answered + self._return[robot]
            for robot, answered in self._answered.items()
            if robot in self._return and robot not in waiting
        )
        # One that is a little late may still come; one that is long overdue has gone.
        return until - now if any(since - self.max_wait <= at <= until for at in due) else 0.0

    def _pick(self) -> list[Waiting]:
        batch: dict[Robot, Waiting] = {}
        for request in sorted(self._line, key=lambda r: (r.urgency, r.ready)):
            if len(batch) == self.max_batch:
                break
            batch.setdefault(request.robot, request)
        chosen = list(batch.values())
        self._line = [r for r in self._line if r not in chosen]
        return chosen
