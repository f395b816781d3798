"""A client's socket: one request at a time, every wait bounded, reconnecting by itself."""

import logging
import time
from typing import Any

import zmq
from zmq.utils.monitor import parse_monitor_message

from octoverse.errors import ServerUnreachable
from octoverse.wire import Act, Fault, Reply, read_reply

logger = logging.getLogger(__name__)

_BACK_OFF_MS, _LONGEST_BACK_OFF_MS = 50, 1000
_LOOK_MS = 50
"""How often a wait looks whether the connection still stands."""
_LAST_WORDS_MS = 50
_UP, _DOWN = zmq.EVENT_HANDSHAKE_SUCCEEDED, zmq.EVENT_DISCONNECTED


class Connection:
    """A DEALER socket to one policy server; for one thread.

    Args:
        address: As in tcp://127.0.0.1:5555.
        timeout: Longest wait for an answer [s].
    """

    def __init__(self, address: str, timeout: float) -> None:
        self.address, self.timeout = address, timeout
        self.late = 0
        """Answers that came when nobody waited for them any more."""
        self._context = zmq.Context()
        self._socket: zmq.Socket[bytes] = self._context.socket(zmq.DEALER)
        self._socket.setsockopt(zmq.LINGER, 0)
        # Without it messages pile up for a server that is away, and reach it much too late.
        self._socket.setsockopt(zmq.IMMEDIATE, 1)
        self._socket.setsockopt(zmq.RECONNECT_IVL, _BACK_OFF_MS)
        self._socket.setsockopt(zmq.RECONNECT_IVL_MAX, _LONGEST_BACK_OFF_MS)
        self._events = self._socket.get_monitor_socket(_UP | _DOWN)
        self._up = self._was_up = False
        try:
            self._socket.connect(address)
        except zmq.ZMQError as error:
            self.close()
            raise ValueError(
                f"address: expected one such as tcp://127.0.0.1:5555, got {address} "
                f"({error.strerror})."
            ) from error

    def ask(self, header: bytes, body: Any, request: int) -> tuple[Reply, memoryview]:
        """Send a message and wait for its answer; sends again if the connection breaks meanwhile.

        Raises:
            ServerUnreachable: if none comes within the timeout.
            BadMessage: if what comes is not of this protocol.
        """
        until = time.monotonic() + self.timeout
        while True:
            self._send(header, body, until)
            answer = self._receive(request, until)
            if answer is not None:
                return answer

    def tell(self, header: bytes, body: Any) -> None:
        """Send a message that is not answered.

        Raises:
            ServerUnreachable: if there is no connection within the timeout.
        """
        self._send(header, body, time.monotonic() + self.timeout)

    def close(self, last_words: bytes | None = None) -> None:
        """Close the socket; `last_words` are sent if that is possible at once."""
        if self._context.closed:
            return
        if last_words is not None and self._up:
            self._socket.setsockopt(zmq.LINGER, _LAST_WORDS_MS)
            try:
                self._socket.send_multipart([last_words, b""], zmq.NOBLOCK)
            except zmq.Again:
                logger.debug("%s is gone already", self.address)
        self._socket.disable_monitor()
        self._events.close(linger=0)
        self._socket.close()
        self._context.term()

    def _send(self, header: bytes, body: Any, until: float) -> None:
        while True:
            try:
                self._socket.send(header, zmq.NOBLOCK | zmq.SNDMORE)
                break
            except zmq.Again:
                self._watch()
                if not self._socket.poll(_milliseconds(until), zmq.POLLOUT):
                    raise self._unreachable() from None
        self._socket.send(body, zmq.NOBLOCK, copy=False)

    def _receive(self, request: int, until: float) -> tuple[Reply, memoryview] | None:
        """Wait for the answer to `request`; None if the connection broke first."""
        broke = False
        while True:
            left = _milliseconds(until)
            self._socket.setsockopt(zmq.RCVTIMEO, 0 if broke else min(left, _LOOK_MS))
            try:
                frames = [self._socket.recv()]
            except zmq.Again:
                if broke:
                    return None
                broke = self._watch()  # and look once more: the answer may have come before
                if left <= 1 and not broke:
                    raise self._unreachable() from None
                continue
            while self._socket.getsockopt(zmq.RCVMORE):
                frames.append(self._socket.recv())
            if not self._up:
                self._watch()
            reply = read_reply(frames[0])
            if reply.request == request or (isinstance(reply, Fault) and reply.request is None):
                return reply, memoryview(frames[-1] if len(frames) > 1 else b"")
            self._note(reply)

    def _watch(self) -> bool:
        """Follow what became of the connection; True if it broke."""
        broke = False
        while self._events.poll(0):
            event = parse_monitor_message(self._events.recv_multipart())["event"]
            if event == _DOWN:
                logger.warning("%s: lost the policy server, trying again", self.address)
                broke = True
            elif self._was_up:
                logger.warning("%s: the policy server is back", self.address)
            self._up = event == _UP
            self._was_up = self._was_up or self._up
        return broke

    def _note(self, reply: Reply) -> None:
        self.late += 1
        if isinstance(reply, Act):
            logger.info("dropped a late answer, %.0f ms old", reply.timing.total_ms)
        elif isinstance(reply, Fault):
            logger.warning("an earlier message was refused: %s %s", reply.message, reply.remedy)

    def _unreachable(self) -> ServerUnreachable:
        self._watch()
        if self._up:
            return ServerUnreachable(
                f"{self.address}: expected an answer within {self.timeout:g} s, got none, though "
                "the policy server is connected. Raise the timeout, or ask it for less."
            )
        return ServerUnreachable(
            f"{self.address}: expected a policy server, got no connection within "
            f"{self.timeout:g} s. Start one with `octoverse serve`, or correct the address."
        )


def _milliseconds(until: float) -> int:
    return max(0, int(1000 * (until - time.monotonic())) + 1)
