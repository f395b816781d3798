"""Decide which waiting requests a policy computes together, and when.

A batch takes what has come. It is held back, for at most `max_wait_ms`, only for robots that are
about to come back: those answered a moment ago that usually return this soon. So one robot alone
never waits, and robots in lock-step do not fall apart into two half batches.

The earliest deadline goes first, among robots that have had about the same: each answer is one
round, and a robot two rounds ahead of another that waits stands behind. So a robot that asks
without end, or with ever nearer deadlines, takes nobody's share. In a full line the robot with
most requests loses its newest.

Requests of one robot are computed in order, each of them, also when a newer one waits: whoever
asks twice may want both, and pays with its own turns. Who wants the newest alone gives deadlines.
"""

import heapq
import math
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

from octoverse.episode import Observation
from octoverse.servers.faults import Reply
from octoverse.servers.robots import Robot, Turn

_PATIENCE_S = 1.0
"""A request is ordered as if its deadline were no later than this, so that none starves."""
_LEAD = 1
"""Rounds by which a robot may be ahead of another that waits and still go before it."""
_SMOOTHING = 0.3
_UNKNOWN_S = 0.1
"""What a batch is taken to need before any has been computed."""


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
    deadline: float
    """Later than that it is stale [s]; infinite where any time will do."""
    urgency: float = field(init=False)
    """When it should be done [s]."""

    def __post_init__(self) -> None:
        self.urgency = min(self.deadline, self.received + _PATIENCE_S)


_urgency, _deadline = attrgetter("urgency"), attrgetter("deadline")


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
        max_queue: int = 256,
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
        self._least = 0.0
        """What any batch will surely take [s]."""
        self._barren = False
        """Whether requests have been given up for `_least` since the last batch."""
        self._clock = clock or Clock()
        self._robots: dict[Robot, None] = {}
        """Those with requests that wait, in the order in which they came."""
        self._count = 0
        self._round = 0
        self._earliest = math.inf
        """No request that waits has an earlier deadline [s]."""
        self._due: list[tuple[float, int, Turn]] = []
        """A heap of when robots that were answered are expected back."""
        self._answers = 0
        self._changed = threading.Condition()
        self._closed = False

    def __len__(self) -> int:
        return self._count

    def put(self, request: Waiting) -> Waiting | None:
        """Add a request.

        Returns:
            Who has to leave where the line is full: this request, or the newest of the robot that
            has most in it. This request too once the batcher is closed.
        """
        turn, refused = request.robot.turn, None
        with self._changed:
            if self._closed:
                return request
            if not turn.line:
                turn.rounds = max(turn.rounds, self._round)
            if self._count >= self.max_queue:
                refused = self._crowded_out(request)
                if refused is request:
                    return refused
            turn.line.append(request)
            self._robots[request.robot] = None
            self._count += 1
            self._earliest = min(self._earliest, request.deadline)
            if turn.answered is not None:
                taken = request.ready - turn.answered
                usual = taken if turn.returns is None else turn.returns
                turn.returns = usual + _SMOOTHING * (taken - usual)
                turn.answered = turn.due = None
            self._changed.notify()
            return refused

    def take(self) -> tuple[list[Waiting], list[Waiting]] | None:
        """Wait for the next batch; only the computing thread may call this.

        Returns:
            The batch, most urgent first, and those whose deadline comes before an answer could,
            either of which may be empty; None once the batcher is closed and nothing waits.
        """
        free = self._clock.now()
        with self._changed:
            while True:
                now = self._clock.now()
                if stale := self._stale(now):
                    return [], stale
                if not self._robots:
                    if self._closed:
                        return None
                    self._clock.wait(self._changed)
                elif not self._closed and (hold := self._hold(free, now)) > 0:
                    self._clock.wait(self._changed, hold)
                else:
                    return self._pick(), []

    def computed(self, batch: list[Waiting], seconds: float) -> None:
        """Note that a batch has been answered, and how long it took."""
        now = self._clock.now()
        with self._changed:
            self.inference += _SMOOTHING * (seconds - self.inference) if self.inference else seconds
            self._least = min(seconds, self._least + _SMOOTHING * (seconds - self._least))
            self._barren = False
            for request in batch:
                turn = request.robot.turn
                turn.answered = now
                if turn.returns is not None and not turn.line:
                    self._answers += 1
                    turn.due = now + turn.returns
                    heapq.heappush(self._due, (turn.due, self._answers, turn))

    def drop(self, robot: Robot) -> list[Waiting]:
        """Take out and give what waits of one robot."""
        with self._changed:
            dropped = list(robot.turn.line)
            if dropped:
                self._count -= len(dropped)
                robot.turn.line.clear()
                del self._robots[robot]
            robot.turn.answered = robot.turn.due = None
            return dropped

    def close(self) -> None:
        """Take no more requests; those that wait can still be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def clear(self) -> list[Waiting]:
        """Take out and give all that wait."""
        with self._changed:
            left = [request for robot in self._robots for request in robot.turn.line]
            for robot in self._robots:
                robot.turn.line.clear()
            self._robots.clear()
            self._count = 0
            self._changed.notify_all()
            return left

    def retry_after(self, robot: Robot) -> float:
        """When what waits now, of this robot and of all, will be computed, by a guess [s]."""
        batches = 1 + max(len(robot.turn.line), self._count // self.max_batch)
        return (self.inference or _UNKNOWN_S) * batches

    def _crowded_out(self, request: Waiting) -> Waiting:
        """Say who leaves the full line, and take it out if it is in there."""
        own = request.robot.turn
        loser = max(self._robots, key=lambda r: (len(r.turn.line), r.turn.rounds))
        line = loser.turn.line
        if (len(own.line) + 1, own.rounds) >= (len(line), loser.turn.rounds):
            return request
        refused: Waiting = line.pop()
        self._count -= 1
        if not line:
            del self._robots[loser]
        return refused

    def _stale(self, now: float) -> list[Waiting]:
        """Take out whose deadline has passed, or will have before the fastest batch is done."""
        least = now + self._least
        if self._earliest >= least:
            return []
        stale: list[Waiting] = []
        self._earliest = math.inf
        for robot in list(self._robots):
            line: deque[Waiting] = robot.turn.line
            if min(map(_deadline, line)) < least:
                stale += [request for request in line if request.deadline < least]
                line = deque(request for request in line if request.deadline >= least)
                robot.turn.line = line
                if not line:
                    del self._robots[robot]
            self._earliest = min(self._earliest, min(map(_deadline, line), default=math.inf))
        self._count -= len(stale)
        if stale:
            # Had the policy become faster, nobody would learn it from requests given up.
            self._least *= 0.5 if self._barren else 1.0
            self._barren = True
        return stale

    def _hold(self, free: float, now: float) -> float:
        """How much longer to hold the batch back for robots about to come [s]."""
        due, robots = self._due, self._robots
        if not due or len(robots) >= self.max_batch:
            return 0.0
        heads = [robot.turn.line[0] for robot in robots]
        since = max(free, min(head.ready for head in heads))
        # One that is a little late may still come; one that is long overdue has gone.
        while due and (due[0][0] < since - self.max_wait or due[0][0] != due[0][2].due):
            heapq.heappop(due)
        # Waiting longer than half a batch takes would cost more than the fuller batch gains.
        until = since + min(self.max_wait, self.inference / 2)
        until = min(until, min(head.urgency for head in heads) - self.inference)
        return until - now if due and due[0][0] <= until and until > now else 0.0

    def _pick(self) -> list[Waiting]:
        """Take the next batch out of the line."""
        batch: list[Waiting] = [robot.turn.line[0] for robot in self._robots]
        self._round = min(robot.turn.rounds for robot in self._robots)
        last = self._round + _LEAD
        if len(batch) > self.max_batch:
            batch.sort(key=_urgency)
            batch.sort(key=lambda request: request.robot.turn.rounds > last)
            del batch[self.max_batch :]
        batch.sort(key=_urgency)
        for request in batch:
            turn = request.robot.turn
            turn.line.popleft()
            # Who took room that nobody wanted owes nothing for it.
            turn.rounds = min(turn.rounds, last) + 1
            if not turn.line:
                del self._robots[request.robot]
        self._count -= len(batch)
        return batch
