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
