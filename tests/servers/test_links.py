import os
import socket
from collections.abc import Iterator

import pytest

from octoverse.servers import links
from octoverse.servers.links import borrowed, can_measure, cut, taken

Pair = tuple[socket.socket, socket.socket, int]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """What a client has, what a server has, and the server's port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            with listener.accept()[0] as server:
                yield client, server, port


def test_what_was_read_counts_and_what_waits_does_not(pair: Pair) -> None:
    client, server, port = pair
    with borrowed(server.fileno(), port) as link:
        assert link is not None
        assert taken(link) == 0
        client.sendall(bytes(1000))
        assert len(server.recv(600, socket.MSG_WAITALL)) == 600
        assert taken(link) == 600
        assert len(server.recv(400, socket.MSG_WAITALL)) == 400
        assert taken(link) == 1000


def test_what_is_borrowed_stays_open_for_its_owner(pair: Pair) -> None:
    client, server, port = pair
    with borrowed(server.fileno(), port) as link:
        assert link is not None and link.fileno() != server.fileno()
    client.sendall(b"still there")
    assert server.recv(11, socket.MSG_WAITALL) == b"still there"


def test_a_descriptor_that_is_no_connection_of_ours_is_left_alone(pair: Pair) -> None:
    client, server, port = pair
    reading, writing = os.pipe()
    one, other = socket.socketpair()
    for fd, listens_at in [
        (client.fileno(), port),
        (server.fileno(), port + 1),
        (one.fileno(), port),
        (reading, port),
        (10**6, port),
    ]:
        with borrowed(fd, listens_at) as link:
            assert link is None
    for end in (reading, writing):
        os.close(end)
    one.close()
    other.close()


def test_both_sides_learn_that_a_connection_is_cut(pair: Pair) -> None:
    client, server, port = pair
    with borrowed(server.fileno(), port) as link:
        assert link is not None
        cut(link)
        cut(link)
    assert server.recv(1) == b""
    server.close()
    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        while True:
            client.send(b"more")


def test_it_says_whether_the_system_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    assert can_measure()
    with monkeypatch.context() as older:
        older.setattr(links, "_info", lambda link: bytes(104))
        assert not can_measure()
    monkeypatch.delattr(socket, "TCP_INFO")
    assert not can_measure()
