"""Carries what a client says over its line, and waits: blocking, every time for a limit."""

import time
from typing import TypeVar

import zmq

from octoverse.servers.line import Frames, Line, Want
from octoverse.servers.talk import Answer, Message, Talk

_LOOK_S = 0.05
"""How often a wait looks whether the connection still stands."""
T = TypeVar("T")


class Connection:
    """Waits for one line; for one thread."""

    def __init__(self, line: Line) -> None:
        self.line = line

    def carry(self, talk: Talk[T]) -> T:
        """Say what is to be said, within the line's timeout, and give what comes of it.

        Raises:
            ServerUnreachable: if there is no answer, or no connection, in time.
        """
        until, answer = time.monotonic() + self.line.timeout, None
        while True:
            try:
                message = talk.send(answer)
            except StopIteration as end:
                return end.value
            answer = self._exchange(message, until)

    def _exchange(self, message: Message, until: float) -> Answer | None:
        waits, came = self.line.exchange(message, until), None
        while True:
            try:
                want, seconds = waits.send(came)
            except StopIteration as end:
                return end.value
            came = self._wait(want, seconds)

    def _wait(self, want: Want, seconds: float) -> Frames | None:
        socket, events = self.line.sockets
        match want:
            case Want.ANSWER:
                return self.line.receive(min(seconds, _LOOK_S))
            case Want.ROOM:
                socket.poll(int(1000 * min(seconds, _LOOK_S)) + 1, zmq.POLLOUT)
            case Want.CONNECTION:
                events.poll(int(1000 * seconds) + 1)
            case Want.PAUSE:
                time.sleep(seconds)
        return None
