"""Say to clients, in words, why there is no answer; and count how often."""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np

from octoverse import wire
from octoverse.wire import Fault, FaultCode

logger = logging.getLogger(__name__)

Reply = Callable[[wire.Reply, Mapping[str, np.ndarray]], None]
"""Takes an answer and its arrays back to where a message came from; called from any thread."""
STOPS = "The server stops."
_HELLO = "Say Hello again; the window starts anew."
_NONE: Mapping[str, np.ndarray] = {}
_EXPECTED = {"stale", "overloaded", "stopping", "policy_failed"}
"""Not logged one by one: they say nothing of the client, or their cause has been logged."""


class Asker(Protocol):
    """Whose message it was, where that is known."""

    faults: Counter[str]
    """Fault code to how often it was the answer."""

    @property
    def name(self) -> str:
        """What the log calls it."""
        ...


class Faults:
    """Answers faults."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def send(
        self,
        reply: Reply,
        code: FaultCode,
        message: str,
        request: int | None,
        *,
        remedy: str = "",
        retry_after_ms: float | None = None,
        robot: Asker | None = None,
    ) -> None:
        """Answer one fault to the request of this number, of this robot if it is known."""
        with self._lock:
            self._counts[code] += 1
            if robot is not None:
                robot.faults[code] += 1
        if code not in _EXPECTED:
            about = {"code": code, "why": message, "robot": robot.name if robot else None}
            logger.warning("refused", extra=about)
        fault = Fault(
            code=code,
            message=message,
            remedy=remedy,
            request=request,
            retry_after_ms=retry_after_ms,
        )
        deliver(reply, fault)

    def overloaded(
        self, reply: Reply, request: int, why: str, robot: Asker, retry_s: float
    ) -> None:
        """Say that there is too much to do, and when to ask again [s]."""
        retry_ms = max(1.0, 1000 * retry_s)
        self.send(
            reply,
            "overloaded",
            f"The server is overloaded: {why}.",
            request,
            remedy=f"Ask again in {retry_ms:.0f} ms, or less often.",
            retry_after_ms=retry_ms,
            robot=robot,
        )

    def no_session(self, reply: Reply, request: int, session: str) -> None:
        """Say that a session is not known."""
        words = (
            f"session {session[:8]}: expected one in use, got one that this server does not know."
        )
        self.send(reply, "no_session", words, request, remedy=_HELLO)

    def outdated(self, reply: Reply, request: int, robot: Asker | None = None) -> None:
        """Say that a session has ended because the policy wants other windows."""
        words = "The model was changed, and with it the window that it wants."
        self.send(reply, "no_session", words, request, remedy=_HELLO, robot=robot)

    def stopping(self, reply: Reply, request: int) -> None:
        """Say that the server stops."""
        self.send(reply, "stopping", STOPS, request)

    @property
    def counts(self) -> dict[str, int]:
        """Fault code to how often it was answered."""
        with self._lock:
            return dict(self._counts)


def deliver(reply: Reply, message: wire.Reply, arrays: Mapping[str, np.ndarray] = _NONE) -> None:
    """Send an answer; a way back that is broken costs its own robot alone."""
    try:
        reply(message, arrays)
    except Exception:
        logger.exception("an answer could not be sent")
