"""What the kernel tells of TCP connections that libzmq reads, by their file descriptors."""

import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fcntl import ioctl
from termios import FIONREAD

_RECEIVED = struct.Struct("=128xQ")
"""Where Linux's struct tcp_info has tcpi_bytes_received."""


@contextmanager
def borrowed(fd: int, port: int) -> Iterator[socket.socket | None]:
    """Hold a connection while it is looked at.

    libzmq may close a file descriptor at any moment, and the number may then be anything's: what
    is held is a second descriptor, and it is None unless it is a connection to `port`.

    Args:
        fd: The descriptor that libzmq has.
        port: Where we listen.
    """
    try:
        link = socket.socket(fileno=os.dup(fd))
    except OSError:
        yield None
        return
    with link:
        yield link if _leads_to(link, port) else None


def can_measure() -> bool:
    """Whether this system counts what a connection has received; Linux does since 4.2."""
    if not hasattr(socket, "TCP_INFO"):
        return False
    with socket.socket() as unused:
        return len(_info(unused)) == _RECEIVED.size


def taken(link: socket.socket) -> int:
    """How much has been read from a connection since it was accepted [bytes]."""
    # In this order: what arrives in between makes it more, and never less than it is.
    unread: int = struct.unpack("i", ioctl(link, FIONREAD, bytes(4)))[0]
    received: int = _RECEIVED.unpack(_info(link))[0]
    return received - unread


def cut(link: socket.socket) -> None:
    """End a connection: its owner reads an end, and its peer is told once the owner closes."""
    # Without it a peer in the middle of sending waits until the system forgets the connection.
    link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    with suppress(OSError):  # it has gone already
        link.shutdown(socket.SHUT_RDWR)


def _info(link: socket.socket) -> bytes:
    return link.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _RECEIVED.size)


def _leads_to(link: socket.socket, port: int) -> bool:
    if link.family not in (socket.AF_INET, socket.AF_INET6) or link.type != socket.SOCK_STREAM:
        return False
    address: tuple[str, int] = link.getsockname()
    return address[1] == port
