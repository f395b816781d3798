"""How something is said to a server by one who has no socket and never waits.

A Talk is a generator: it yields a Message, is sent the Answer to it, or None where the connection
was lost or is new, and then makes the message anew, for what was true may not be now.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import zmq

from octoverse import wire
from octoverse.errors import RemoteError

T = TypeVar("T")
R = TypeVar("R", wire.Welcome, wire.Act, wire.Pong)


@dataclass(slots=True)
class Message:
    """One message, as it is sent."""

    header: bytes
    body: zmq.Frame | bytes = b""
    request: int | None = None
    """Its number, if an answer is waited for."""
    sent_ns: int = 0
    """When it was sent; whoever sends it notes it."""


class Answer(NamedTuple):
    """What came back for a message."""

    reply: wire.Reply | None
    """None for a message that was sent and is not answered."""
    body: memoryview
    arrived_ns: int


SENT = Answer(None, memoryview(b""), 0)
Talk = Generator[Message, Answer | None, T]


def say(make: Callable[[], Message]) -> Talk[tuple[Message, Answer]]:
    """Say something until it is answered, and give what was said last."""
    while True:
        message = make()
        answer = yield message
        if answer is not None:
            return message, answer


def expect(answer: Answer, kind: type[R]) -> R:
    """Give the reply if it is of this kind.

    Raises:
        RemoteError: if it is a fault, or something else.
    """
    reply = answer.reply
    if isinstance(reply, wire.Fault):
        raise RemoteError(reply.code, reply.message, reply.remedy, reply.retry_after_ms)
    if not isinstance(reply, kind):
        raise RemoteError(
            "bad_message",
            f"The server answered with {type(reply).__name__}, expected {kind.__name__}.",
        )
    return reply
