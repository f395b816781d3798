"""The robots that a server knows: each one's session, its unread messages and its figures."""

import itertools
import math
import secrets
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from octoverse.servers.faults import Reply
from octoverse.session import Session
from octoverse.wire import Limits

_SPARED_S = 10.0
"""A robot that was heard of this lately is never forgotten to make room for another."""
_INBOX = 64
_BURST_S = 1.0
"""A robot may send at once what its rate allows in this time."""
_UNKNOWN_S = 0.01
"""What a message is taken to need before any has been prepared."""
_SMOOTHING = 0.2
_NUMBERS = itertools.count(1)


@dataclass(eq=False, slots=True)
class Turn:
    """One robot's place among those that wait for the policy; its batcher keeps it."""

    line: deque[Any] = field(default_factory=deque)
    """Its requests, oldest first."""
    rounds: int = 0
    """How many answers it has had, counted so that robots that wait differ little."""
    answered: float | None = None
    """When, if it has not asked since [s]."""
    returns: float | None = None
    """How long after an answer it usually asks again [s]."""
    due: float | None = None
    """When it is expected to ask again [s]."""


@dataclass(kw_only=True, eq=False)
class Robot:
    """One robot with a session."""

    session: Session
    client: str
    """What the client calls itself."""
    peer: str = ""
    """Public key of the client that said Hello, "" without one: nobody else has this session."""
    id: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)
    """A secret: whoever has it is the robot."""
    number: int = field(default_factory=lambda: next(_NUMBERS))
    """What people call it."""
    reply: Reply | None = None
    """The way back, as it was last heard of."""
    heard: float = field(default_factory=time.monotonic)
    lock: threading.Lock = field(default_factory=threading.Lock)
    inbox: deque[tuple[Any, int]] = field(default_factory=deque)
    """Messages that wait to be prepared, with their sizes in bytes."""
    inbox_bytes: int = 0
    turn: Turn = field(default_factory=Turn)
    model: int = 0
    """Number of the newest model that its window is known to fit."""
    busy: bool = False
    """Whether it stands in the line of those that have unread messages."""
    prepared_s: float = math.inf
    """What the faster of its last two messages took to prepare."""
    took_s: float = math.inf
    """What its last message took to prepare."""
    suspect: bool = False
    """Whether the policy failed on its last request alone."""
    observed: bool = False
    """Whether it has ever delivered a frame."""
    instruction: str = ""
    requests: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    """Fault code to how often it was the answer."""
    hz: float = 0.0
    latency_ms: float = 0.0
    _last_request: float | None = None
    _paced: float = -math.inf
    """When its next message would come if all had come evenly [s]."""

    @property
    def name(self) -> str:
        """What the log calls it."""
        return f"{self.session.body.name} {self.client or 'robot'} ({self.number})"

    def ahead(self, now: float, rate: float) -> float:
        """Count a message, unless more have come than so many per second.

        Returns:
            How long it must wait [s]; 0 if it may be taken.
        """
        due = max(self._paced, now - _BURST_S)
        if due > now:
            return due - now
        self._paced = due + 1 / rate
        return 0.0

    @property
    def unread_s(self) -> float:
        """How long its unread messages take to prepare, by a guess [s]."""
        each = self.prepared_s if self.prepared_s < math.inf else _UNKNOWN_S
        return len(self.inbox) * each

    def accept(self, message: Any, size: int, limits: Limits) -> bool:
        """Take a message into the inbox, in order; call it with `lock` held.

        Returns:
            Whether there was room.
        """
        full = self.inbox_bytes + size > limits.message_bytes or len(self.inbox) >= _INBOX
        if self.inbox and full:
            return False
        self.inbox.append((message, size))
        self.inbox_bytes += size
        return True

    def take(self) -> Any:
        """Take the oldest message out of the inbox; call it with `lock` held."""
        message, size = self.inbox.popleft()
        self.inbox_bytes -= size
        return message

    def asked(self, now: float) -> None:
        """Count one request for action."""
        self.requests += 1
        if self._last_request is not None and now > self._last_request:
            hz = 1 / (now - self._last_request)
            self.hz += _SMOOTHING * (hz - self.hz) if self.hz else hz
        self._last_request = now

    def answered(self, total_ms: float) -> None:
        """Note how long an answer took."""
        before = self.latency_ms
        self.latency_ms += _SMOOTHING * (total_ms - before) if before else total_ms


class Robots:
    """A bounded table of robots by session id; those not heard of for long are forgotten."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._robots: dict[str, Robot] = {}

    def __len__(self) -> int:
        return len(self._robots)

    def __iter__(self) -> Iterator[Robot]:
        return iter(list(self._robots.values()))

    def find(self, session: str, peer: str, now: float) -> Robot | None:
        """Give the robot of a peer's session, and note that it was heard of."""
        robot = self._robots.get(session)
        if robot is None or robot.peer != peer:
            return None
        robot.heard = now
        return robot

    def add(self, robot: Robot) -> bool:
        """Take in a robot, if need be instead of another.

        First goes one that has never delivered a frame, then the one that is silent longest.

        Returns:
            Whether there was room.
        """
        if len(self._robots) >= self._limits.sessions:
            other = min(self, key=lambda r: (r.observed, r.heard))
            if other.observed and robot.heard - other.heard < _SPARED_S:
                return False
            self.remove(other.id)
        self._robots[robot.id] = robot
        return True

    def remove(self, session: str) -> Robot | None:
        """Forget a robot."""
        return self._robots.pop(session, None)

    def expire(self, now: float) -> list[Robot]:
        """Forget those not heard of for too long, and give them."""
        late = [r for r in self if now - r.heard > self._limits.session_s]
        for robot in late:
            self.remove(robot.id)
        return late
