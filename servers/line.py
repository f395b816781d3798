"""A DEALER socket to one policy server that never waits: it says what it would wait for.

A connection that is lost is never used again: what was queued for it dies with its socket, so that
nothing stale reaches a server that comes back, and what had arrived before is still read.
"""

import logging
import struct
import time
from collections.abc import Callable, Generator, Sequence
from enum import Enum

import zmq

from octoverse.errors import ServerUnreachable
from octoverse.servers.talk import SENT, Answer, Message

logger = logging.getLogger(__name__)

_BACK_OFF_MS, _LONGEST_BACK_OFF_MS = 50, 1000
_HEARTBEAT_MS, _SILENCE_MS = 2000, 10_000
"""How often a connection is tried out, and after what silence it counts as lost."""
_QUEUED = 8
"""Messages that may wait to be sent."""
_LARGEST_REPLY = 64 * 2**20
_LAST_WORDS_MS = 50
_READABLE, _FIRST_PART = int(zmq.POLLIN), int(zmq.NOBLOCK | zmq.SNDMORE)
_UP, _DOWN = zmq.EVENT_HANDSHAKE_SUCCEEDED, zmq.EVENT_DISCONNECTED
_REFUSED = zmq.EVENT_HANDSHAKE_FAILED_AUTH
_TOLD = (
    _UP
    | _DOWN
    | _REFUSED
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
)
_EVENT = struct.Struct("=H")

Frames = Sequence[bytes]
Read = Callable[[Frames, int, int | None], Answer | None]
"""Takes frames, when they came [ns], and which request waits; gives its answer, or None."""


class Want(Enum):
    """What is waited for."""

    CONNECTION = "something happens to the connection"
    ROOM = "there is room to send"
    ANSWER = "something arrives"
    PAUSE = "the time has passed; then there are other sockets"


Waits = Generator[tuple[Want, float], Frames | None, Answer | None]
"""Yields what to wait for and for how many seconds; is sent what arrived."""


class Line:
    """One client's way to its server.

    Args:
        address: As in tcp://127.0.0.1:5555.
        timeout: Longest wait for an answer [s]; whoever waits keeps to it.
        read: Makes answers of what arrives.
        secure: Gives keys to each new socket, if there are any.

    Raises:
        ValueError: if the address is none, or the timeout not above zero.
    """

    def __init__(
        self,
        address: str,
        timeout: float,
        read: Read,
        secure: Callable[[zmq.Socket[bytes]], None] | None = None,
    ) -> None:
        if not timeout > 0:
            raise ValueError(f"timeout must be above 0 s, got {timeout} s.")
        self.address, self.timeout = address, timeout
        self._read, self._secure = read, secure
        self._up = self._broken = self._was_up = False
        self._losses = self._cuts = self._unanswered = self._patience_ms = 0
        self._trouble: int | None = None
        self._context = zmq.Context()
        self._open()

    @property
    def up(self) -> bool:
        """Whether the server is connected, as far as was looked."""
        return self._up

    @property
    def sockets(self) -> tuple["zmq.Socket[bytes]", "zmq.Socket[bytes]"]:
        """What messages come from, and what tells of the connection."""
        return self._socket, self._events

    def exchange(self, message: Message, until: float) -> Waits:
        """Send a message and wait for its answer.

        Args:
            message: What is said.
            until: Monotonic time at which to give up [s].

        Returns:
            The answer, or None if the connection is new or was lost: make the message anew.

        Raises:
            ServerUnreachable: if there is no answer, or no connection, in time.
            BadMessage: if what comes is not of this protocol.
        """
        self.look()
        if not self._up:
            yield from self._connect(until)
            return None
        if message.request is None:
            self._hear()
        while not self._send(message):
            yield Want.ROOM, self._left(until)
            self.look()
            if not self._up:
                return None
        if message.request is None:
            return SENT
        while True:
            left = max(0.0, until - time.monotonic())
            frames = yield Want.ANSWER, 0.0 if self._broken else left
            if frames is not None:
                answer = self._read(frames, time.monotonic_ns(), message.request)
                if answer is not None:
                    self._losses = self._cuts = self._unanswered = 0
                    return answer
            elif self._broken:
                return None
            self.look()  # after every wait: what woke it may have been more than one thing
            if not left and not self._broken:
                raise self._unreachable()

    def receive(self, seconds: float) -> list[bytes] | None:
        """Give the next message; None if none comes within so many seconds."""
        milliseconds = int(1000 * seconds) + (seconds > 0)
        if milliseconds != self._patience_ms:
            self._socket.setsockopt(zmq.RCVTIMEO, milliseconds)
            self._patience_ms = milliseconds
        try:
            frames = [self._socket.recv()]
        except zmq.Again:
            return None
        if self._socket.getsockopt(zmq.RCVMORE):
            frames.append(self._socket.recv())
        return frames

    def look(self) -> None:
        """Follow what became of the connection."""
        while int(self._events.getsockopt(zmq.EVENTS)) & _READABLE:
            (event,) = _EVENT.unpack_from(self._events.recv())
            self._events.recv()
            if self._broken:
                continue
            if event == _UP:
                if self._was_up:
                    logger.warning("%s: the policy server is back", self.address)
                self._up = self._was_up = True
                self._trouble = None
            elif event == _DOWN:
                if self._up:
                    logger.warning("%s: lost the policy server, trying again", self.address)
                    self._cuts += self._unanswered > 0
                self._up, self._broken = False, True
                self._losses += 1
            else:
                self._trouble = event

    def close(self, last_words: Message | None = None) -> None:
        """Close the socket; `last_words` are sent if that is possible at once."""
        if self._context.closed:
            return
        self.look()
        self._socket.setsockopt(zmq.LINGER, _LAST_WORDS_MS)
        if last_words is not None and self._up and not self._send(last_words):
            logger.debug("%s takes no last words", self.address)
        self._shut()
        self._context.term()

    def _hear(self) -> None:
        """Read what has come while nobody waited."""
        while int(self._socket.getsockopt(zmq.EVENTS)) & _READABLE:
            frames = self.receive(0.0)
            if frames is not None:
                self._read(frames, time.monotonic_ns(), None)

    def _connect(self, until: float) -> Generator[tuple[Want, float], Frames | None, None]:
        while True:
            if self._broken:
                pause = _BACK_OFF_MS * 2 ** (self._losses - 2) if self._losses > 1 else 0
                pause = min(pause, _LONGEST_BACK_OFF_MS)
                yield Want.PAUSE, min(pause / 1000, self._left(until))
                self._shut()
                self._open()
            self.look()  # before waiting, too: libzmq wakes only those who have looked
            if self._up:
                return
            if not self._broken:
                yield Want.CONNECTION, self._left(until)

    def _open(self) -> None:
        self._socket: zmq.Socket[bytes] = self._context.socket(zmq.DEALER)
        for option, value in (
            (zmq.LINGER, 0),
            (zmq.SNDHWM, _QUEUED),
            (zmq.MAXMSGSIZE, _LARGEST_REPLY),
            (zmq.RECONNECT_IVL, _BACK_OFF_MS),
            (zmq.RECONNECT_IVL_MAX, _LONGEST_BACK_OFF_MS),
            (zmq.HEARTBEAT_IVL, _HEARTBEAT_MS),
            (zmq.HEARTBEAT_TIMEOUT, _SILENCE_MS),
            (zmq.RCVTIMEO, 0),
        ):
            self._socket.setsockopt(option, value)
        if self._secure is not None:
            self._secure(self._socket)
        self._events = self._socket.get_monitor_socket(_TOLD)
        self._up = self._broken = False
        self._patience_ms = 0
        try:
            self._socket.connect(self.address)
        except zmq.ZMQError as error:
            self._shut()
            self._context.term()
            raise ValueError(
                f"address: expected one such as tcp://127.0.0.1:5555, got {self.address} "
                f"({error.strerror})."
            ) from error

    def _shut(self) -> None:
        self._socket.disable_monitor()
        self._events.close(linger=0)
        self._socket.close()

    def _send(self, message: Message) -> bool:
        """Send a message if there is room."""
        message.sent_ns = time.monotonic_ns()
        try:
            self._socket.send(message.header, _FIRST_PART)
        except zmq.Again:
            return False
        self._socket.send(message.body, zmq.NOBLOCK, copy=False)
        self._unanswered = len(message.header) + len(message.body)
        return True

    def _left(self, until: float) -> float:
        left = until - time.monotonic()
        if left <= 0:
            raise self._unreachable()
        return left

    def _unreachable(self) -> ServerUnreachable:
        within = f"within {self.timeout:g} s"
        if self._up:
            return ServerUnreachable(
                f"{self.address}: expected an answer {within}, got none, though the policy server "
                "is connected. Raise the timeout, or ask it for less."
            )
        return ServerUnreachable(
            f"{self.address}: expected a policy server, got no connection {within}. {self._why()}"
        )

    def _why(self) -> str:
        if self._trouble == _REFUSED:
            return (
                "The server does not allow this client's key. Allow it there: "
                "`octoverse keys allow`."
            )
        if self._trouble is not None and self._secure is not None:
            return (
                "What answers there hung up on these keys: it is not the server whose public key "
                "was given, or it uses no keys."
            )
        if self._trouble is not None:
            return "What answers there hung up: it wants keys (see `octoverse keys`), or is none."
        if self._cuts > 1:
            return (
                f"The connection was cut {self._cuts} times before a message of "
                f"{self._unanswered} bytes was answered: perhaps the server takes none as large. "
                "Send smaller images, or set jpeg_quality."
            )
        return "Start one with `octoverse serve`, or correct the address."
