"""What a peer may cost a server: connections that take too much are cut.

libzmq gathers all frames of a message before anybody can look at it, and bounds the size of each
frame, but not their number: a message without end fills the memory. So a thread compares what was
read from each connection, as the kernel counts it, with what came out of the socket. Where the
kernel does not count (macOS), only frames and connections are bounded, and the log says so.
"""

import logging
import math
import resource
import select
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import zmq
from zmq.utils.monitor import parse_monitor_message

from octoverse.servers.links import borrowed, can_measure, cut, taken
from octoverse.wire import HEADER_BYTES, Limits

logger = logging.getLogger(__name__)

_LOOK_S = 0.05
_PATIENCE = 20
"""Looks during which a connection may hold more than one message without delivering any."""
_FRAMING = 256
"""More than ZMTP and CURVE add to a message of two frames [bytes]."""
_SPARE = 64 * 1024
"""Greeting, handshake and heartbeats [bytes]."""
_SMALL = 2**20
"""Who holds less is looked at only when something arrives [bytes]."""
_TOGETHER = 2**30
"""What all connections together may hold, unless one alone may hold more [bytes]."""
_OTHER_FILES = 128
"""File descriptors that are left to the rest of the process."""
_OPTIONS = {
    # A peer whose cable is pulled goes after 15 s; a client learns by the same way to give us up.
    zmq.HEARTBEAT_IVL: 5_000,
    zmq.HEARTBEAT_TIMEOUT: 15_000,
    zmq.HEARTBEAT_TTL: 15_000,
    zmq.HANDSHAKE_IVL: 10_000,
    zmq.TCP_KEEPALIVE: 1,
    zmq.TCP_KEEPALIVE_IDLE: 30,
    zmq.TCP_KEEPALIVE_INTVL: 10,
    zmq.TCP_KEEPALIVE_CNT: 3,
    zmq.BACKLOG: 1024,
    # Answers that a client leaves unread; those beyond are refused by `send`, and so are those to
    # one that has gone, instead of being dropped unseen.
    zmq.SNDHWM: 256,
    zmq.ROUTER_MANDATORY: 1,
}
_EVENTS = zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED | zmq.EVENT_MONITOR_STOPPED


@dataclass
class _Peer:
    """One connection, and what it costs."""

    delivered: int
    """What its descriptor had delivered when last looked at [bytes]."""
    paid: int = 0
    """Of what was read from it, that which came out of the socket [bytes]."""
    held: int = 0
    """Of what was read from it, that which has not [bytes]."""
    overdue: int = 0
    """Looks in a row at which it held more than one message."""
    cut: bool = False


class Guard:
    """Sets the limits of a ROUTER, and cuts connections that take more than libzmq can limit.

    Used by the socket's thread, but for `connections` and `cut`.

    Args:
        limits: What is refused.
    """

    def __init__(self, limits: Limits) -> None:
        self.cut = 0
        """Connections that were cut since the start."""
        self._one = limits.message_bytes + HEADER_BYTES + _SPARE
        self._most = (limits.unread + 2) * self._one  # one is half read, one is being decoded
        self._connections = _possible(limits.connections)
        self._full = False
        self._delivered: dict[int, int] = {}
        self._peers: dict[int, _Peer] = {}
        self._holding: set[int] = set()
        self._arrivals: select.epoll | None = None
        self._options = {
            **_OPTIONS,
            zmq.MAXMSGSIZE: max(limits.message_bytes, HEADER_BYTES),
            zmq.RCVHWM: limits.unread,
        }
        self._thread = threading.Thread(target=self._run, name="guard", daemon=True)

    @property
    def connections(self) -> int:
        """How many there are now."""
        return len(self._peers)

    def limit(self, socket: "zmq.Socket[bytes]") -> None:
        """Set the limits of a socket, before it is bound."""
        for option, value in self._options.items():
            socket.setsockopt(option, value)
        self._socket = socket
        self._monitor: zmq.Socket[bytes] = socket.get_monitor_socket(_EVENTS)

    def start(self) -> None:
        """Begin to watch, once the socket is bound."""
        self._port = int(self._socket.getsockopt_string(zmq.LAST_ENDPOINT).rpartition(":")[2])
        if can_measure():
            self._arrivals = select.epoll()
        else:
            logger.warning(
                "this system does not tell how much a connection has sent: a peer that sends a "
                "message without end can fill the memory. Serve only peers that you trust."
            )
        self._thread.start()

    def delivered(self, fd: int, size: int) -> None:
        """Note that a message has been read.

        Args:
            fd: Its connection, as in `frame.get(zmq.SRCFD)`.
            size: Of all its frames together [bytes].
        """
        self._delivered[fd] = self._delivered.get(fd, 0) + size + _FRAMING

    def close(self) -> None:
        """End the watch, before the socket is closed."""
        self._socket.disable_monitor()
        if self._thread.ident is None:
            self._monitor.close(linger=0)
        else:
            self._thread.join()

    def _run(self) -> None:
        # To the end, whatever breaks: libzmq stands still when nobody reads its events.
        while self._follow():
            try:
                self._look()
            except Exception:
                logger.exception("the guard broke: messages without end are no longer cut")
                self._unwatch()
        self._unwatch()
        self._monitor.close(linger=0)

    def _unwatch(self) -> None:
        if self._arrivals is not None:
            self._arrivals.close()
            self._arrivals = None

    def _follow(self) -> bool:
        """Note who comes and goes until it is time to look; False when the watch ends."""
        due = time.monotonic() + _LOOK_S
        while (left := due - time.monotonic()) > 0:
            if not self._monitor.poll(math.ceil(1000 * left)):
                continue
            event: Any = parse_monitor_message(self._monitor.recv_multipart())
            match event["event"]:
                case zmq.EVENT_ACCEPTED:
                    self._greet(event["value"])
                case zmq.EVENT_DISCONNECTED:
                    self._forget(event["value"])
                case zmq.EVENT_MONITOR_STOPPED:
                    return False
        return True

    def _greet(self, fd: int) -> None:
        peer = self._peers[fd] = _Peer(delivered=self._delivered.get(fd, 0))
        if len(self._peers) > self._connections:
            if not self._full:
                logger.warning("more than %d connections: cut the newest", self._connections)
            self._full = True
            self._cut(fd, peer)
        elif self._arrivals is not None:
            with suppress(OSError):  # it has gone already
                self._arrivals.register(fd, select.EPOLLIN | select.EPOLLET)
            self._holding.add(fd)  # for what arrived before this

    def _forget(self, fd: int) -> None:
        self._peers.pop(fd, None)
        self._holding.discard(fd)
        self._full = self._full and len(self._peers) >= self._connections

    def _look(self) -> None:
        """Weigh the connections on which something has arrived, and those that hold much."""
        if self._arrivals is None:
            return
        for fd in self._holding.union(fd for fd, _ in self._arrivals.poll(0)):
            peer = self._peers.get(fd)
            if peer is None or peer.cut:
                continue
            self._weigh(fd, peer)
            if peer.held > self._most or peer.overdue > _PATIENCE:
                self._cut_for_its_size(fd, peer)
        while sum(self._peers[fd].held for fd in self._holding) > max(_TOGETHER, self._most):
            largest = max(self._holding, key=lambda fd: self._peers[fd].held)
            self._cut_for_its_size(largest, self._peers[largest])

    def _weigh(self, fd: int, peer: _Peer) -> None:
        delivered = self._delivered.get(fd, 0)  # first: it must not be ahead of what was read
        with borrowed(fd, self._port) as link:
            if link is None:
                return
            read = taken(link)
        news, peer.delivered = delivered - peer.delivered, delivered
        peer.paid = min(peer.paid + news, read)
        peer.held = read - peer.paid
        peer.overdue = 0 if news or peer.held <= self._one else peer.overdue + 1
        if peer.held > _SMALL:
            self._holding.add(fd)
        else:
            self._holding.discard(fd)

    def _cut_for_its_size(self, fd: int, peer: _Peer) -> None:
        logger.warning(
            "cut a connection that had sent %d bytes without completing a message", peer.held
        )
        self._cut(fd, peer)

    def _cut(self, fd: int, peer: _Peer) -> None:
        self._holding.discard(fd)
        peer.cut = True
        self.cut += 1
        with borrowed(fd, self._port) as link:
            if link is not None:
                cut(link)


def _possible(connections: int) -> int:
    """No more connections than this process may open files, or libzmq would accept for ever."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY or connections + _OTHER_FILES <= files:
        return connections
    possible = max(1, files - _OTHER_FILES)
    logger.warning(
        "this process may open %d files: expected %d connections, took %d. Raise it with "
        "`ulimit -n %d`.",
        *(files, connections, possible, connections + _OTHER_FILES),
    )
    return possible
