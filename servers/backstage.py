"""Where workers come to a broker: a socket of its own, with keys of its own."""

from collections.abc import Iterator
from typing import Any

import zmq
from zmq.utils.monitor import parse_monitor_message

from octoverse.errors import ServerError
from octoverse.servers.address import bind, checked_address, is_loopback
from octoverse.servers.curve import Curve

_WAITING = 64
"""Messages to or from one worker that wait; those beyond are refused."""


class Backstage:
    """A ROUTER for workers.

    Args:
        address: Where workers come, as in ipc:///run/octoverse or tcp://127.0.0.1:5556.
        message_bytes: The largest frame that is taken.
        curve: Keys, and the workers that are let in; None lets in any of this machine.

    Raises:
        ServerError: if other machines can reach the address, and no keys are asked for.
    """

    def __init__(self, address: str, message_bytes: int, curve: Curve | None = None) -> None:
        within = address.startswith("ipc://")
        self.address = address if within else checked_address(address, keys=curve is not None)
        self.one_clock = within or is_loopback(address)
        """Whether every worker has this machine's clock."""
        self._message_bytes, self._curve = message_bytes, curve

    def open(self) -> "zmq.Socket[bytes]":
        """Bind.

        Raises:
            ServerError: if the address is in use.
        """
        # Who is let in is decided for a whole context, and robots are no workers.
        self._context = zmq.Context()
        self.socket: zmq.Socket[bytes] = self._context.socket(zmq.ROUTER)
        self.socket.setsockopt(zmq.MAXMSGSIZE, self._message_bytes)
        self.socket.setsockopt(zmq.RCVHWM, _WAITING)
        self.socket.setsockopt(zmq.SNDHWM, _WAITING)
        self.socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self.ends = self.socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        """Becomes readable when a worker's connection has ended."""
        if self._curve is not None:
            self._curve.secure(self.socket)
        try:
            bind(self.socket, self.address)
        except ServerError:
            self.close(0)
            raise
        self.address = self.socket.getsockopt_string(zmq.LAST_ENDPOINT)
        return self.socket

    def lets_in(self, frame: zmq.Frame) -> bool:
        """Whether a message is of a worker that is still allowed."""
        return self._curve is None or bool(self._curve.peer(frame))

    def ended(self) -> Iterator[int]:
        """Give the descriptors of connections that have ended."""
        while self.ends.poll(0):
            event: Any = parse_monitor_message(self.ends.recv_multipart())
            yield event["value"]

    def close(self, linger_ms: int) -> None:
        """Close, once what was sent has gone, or this time is over."""
        self.socket.disable_monitor()
        self.ends.close(linger=0)
        if self._curve is not None:
            self._curve.close()
        self._context.destroy(linger=linger_ms)
