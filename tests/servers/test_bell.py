import socket
import threading

import pytest
import zmq

from octoverse.servers.bell import Bell


@pytest.fixture
def bell() -> Bell:
    return Bell()


def test_it_wakes_a_poller_until_it_is_silenced(bell: Bell) -> None:
    poller = zmq.Poller()
    poller.register(bell, zmq.POLLIN)
    ringing = threading.Thread(target=bell.ring)
    ringing.start()
    assert dict(poller.poll(60_000)) == {bell.fileno(): zmq.POLLIN}
    ringing.join()
    assert dict(poller.poll(0)) == {bell.fileno(): zmq.POLLIN}
    bell.silence()
    assert poller.poll(0) == []
    bell.silence()
    bell.ring()
    assert dict(poller.poll(60_000)) == {bell.fileno(): zmq.POLLIN}
    bell.close()


def test_ringing_never_waits(bell: Bell) -> None:
    bell._hammer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
    for _ in range(100_000):  # far more than it can keep
        bell.ring()
    bell.close()
    bell.ring()
