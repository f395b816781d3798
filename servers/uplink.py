"""A worker's way to its broker: any thread sends at once, one thread receives."""

import select
import threading
from collections import deque
from typing import Any

import zmq

from octoverse.errors import ServerError
from octoverse.servers.bell import Bell
from octoverse.servers.keys import ClientKeys

_WAITING = 64
"""Messages from and to the broker that libzmq keeps."""
_OUTBOX = 4096
"""Messages that wait for a broker; older ones are of no use any more."""
_LAST_WORDS_MS = 1000
_OPTIONS = {
    zmq.RCVHWM: _WAITING,
    zmq.SNDHWM: _WAITING,
    zmq.IMMEDIATE: 1,
    zmq.RECONNECT_IVL: 100,
    zmq.HEARTBEAT_IVL: 1000,
    zmq.HEARTBEAT_TIMEOUT: 5000,
    zmq.LINGER: _LAST_WORDS_MS,
}
_COMES, _EVENTS = int(zmq.POLLIN), int(zmq.EVENTS)
_NOW, _MORE = int(zmq.NOBLOCK), int(zmq.NOBLOCK | zmq.SNDMORE)


class Uplink:
    """A DEALER that finds its broker again by itself.

    Args:
        address: Where the broker expects workers.
        message_bytes: The largest frame that is taken.
        keys: What the broker knows the worker by, if it asks for keys.

    Raises:
        ServerError: if the address is none.
    """

    def __init__(self, address: str, message_bytes: int, keys: ClientKeys | None = None) -> None:
        self.unsent = 0
        """Messages given up because the broker was away for too long."""
        self._lock = threading.Lock()
        """Whoever holds it may use the socket."""
        self._outbox: deque[tuple[Any, ...]] = deque()
        self._asleep, self._open = False, True
        self._context = zmq.Context()
        self._socket: zmq.Socket[bytes] = self._context.socket(zmq.DEALER)
        for option, value in {**_OPTIONS, zmq.MAXMSGSIZE: message_bytes}.items():
            self._socket.setsockopt(option, value)
        if keys is not None:
            keys.secure(self._socket)
        try:
            self._socket.connect(address)
        except zmq.ZMQError as error:
            self._context.destroy(linger=0)
            raise ServerError(
                "join: expected a broker's address such as tcp://127.0.0.1:5556, "
                f"got {address} ({error.strerror})."
            ) from error
        self._bell = Bell()
        # What polls is the plain descriptor: whoever sends may use the socket meanwhile.
        self._poller = select.poll()
        self._poller.register(self._socket.fileno(), select.POLLIN)
        self._poller.register(self._bell, select.POLLIN)

    @property
    def behind(self) -> bool:
        """Whether messages wait for the broker to read, or to come back."""
        return bool(self._outbox)

    def send(self, *frames: Any) -> None:
        """Send a message, at once or when the broker takes it."""
        with self._lock:
            if not self._open:
                return
            self._outbox.append(frames)
            self._flush()
            # Sending may have noticed a message that the descriptor then tells nobody of.
            if self._asleep and self._comes():
                self._bell.ring()

    def receive(self) -> "list[zmq.Frame] | None":
        """Take the next message, None if there is none yet: then `wait`."""
        with self._lock:
            # Looking is what makes the descriptor tell of the next change.
            if not self._comes():
                self._flush()
                self._asleep = not self._comes()
                return None if self._asleep else self._frames()
            return self._frames()

    def wait(self, milliseconds: int) -> None:
        """Wait for a message, for room to send, or to be woken; for so long at most."""
        ready = self._poller.poll(milliseconds)
        self._asleep = False
        if (self._bell.fileno(), select.POLLIN) in ready:
            self._bell.silence()

    def wake(self) -> None:
        """End a `wait`, from another thread."""
        self._bell.ring()

    def close(self) -> None:
        """Send what can be sent within a second, and close."""
        with self._lock:
            self._open = False
            self._context.destroy(linger=_LAST_WORDS_MS)
        self._bell.close()

    def _frames(self) -> "list[zmq.Frame]":
        return self._socket.recv_multipart(copy=False)

    def _comes(self) -> bool:
        return bool(int(self._socket.getsockopt(_EVENTS)) & _COMES)

    def _flush(self) -> None:
        while self._outbox:
            first, *rest = self._outbox[0]
            try:
                self._socket.send(first, _MORE)
            except zmq.Again:
                break  # the broker is away or behind
            self._outbox.popleft()
            for frame in rest[:-1]:
                self._socket.send(frame, _MORE)
            self._socket.send(rest[-1], _NOW)
        while len(self._outbox) > _OUTBOX:
            self._outbox.popleft()
            self.unsent += 1
