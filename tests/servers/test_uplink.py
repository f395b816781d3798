import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zmq

from octoverse.errors import ServerError
from octoverse.servers.uplink import Uplink

Until = Callable[[Callable[[], bool]], None]
Bind = Callable[[], "zmq.Socket[bytes]"]


@pytest.fixture
def address(tmp_path: Path) -> str:
    return f"ipc://{tmp_path}/workers"


@pytest.fixture
def uplink(address: str) -> Iterator[Uplink]:
    one = Uplink(address, 2**20)
    yield one
    one.close()


@pytest.fixture
def bind(address: str) -> Iterator[Bind]:
    """Starts brokers that do nothing, one after another."""
    sockets: list[zmq.Socket[bytes]] = []
    with zmq.Context() as context:

        def start() -> "zmq.Socket[bytes]":
            socket: zmq.Socket[bytes] = context.socket(zmq.ROUTER)
            socket.setsockopt(zmq.LINGER, 0)
            socket.setsockopt(zmq.RCVTIMEO, 60_000)
            socket.bind(address)
            sockets.append(socket)
            return socket

        yield start
        for socket in sockets:
            socket.close()


def received(uplink: Uplink) -> list[bytes]:
    """The next message, however long it takes."""
    while (frames := uplink.receive()) is None:
        uplink.wait(60_000)
    return [frame.bytes for frame in frames]


def all_sent(uplink: Uplink) -> None:
    """Wait until there is a connection, and nothing is behind."""
    assert uplink.receive() is None
    while uplink.behind:
        uplink.wait(60_000)
        assert uplink.receive() is None


def test_messages_go_both_ways(uplink: Uplink, bind: Bind) -> None:
    broker = bind()
    uplink.send(b"one", b"two", memoryview(b"three"))
    all_sent(uplink)
    route, *frames = broker.recv_multipart()
    assert frames == [b"one", b"two", b"three"]
    for answer in ([b"", b"four"], [b"five"] * 4):
        broker.send_multipart([route, *answer])
        assert received(uplink) == answer
    assert uplink.receive() is None


def test_who_waits_is_woken(uplink: Uplink) -> None:
    assert uplink.receive() is None
    waker = threading.Timer(0.01, uplink.wake)
    waker.start()
    uplink.wait(60_000)
    waker.join()


def test_what_comes_while_another_thread_sends_is_not_overlooked(
    uplink: Uplink, bind: Bind
) -> None:
    broker = bind()
    uplink.send(b"", b"here")
    all_sent(uplink)
    route, *_ = broker.recv_multipart()
    stop = threading.Event()

    def chatter() -> None:
        while not stop.is_set():
            if not uplink.behind:  # or it would crowd out the echo
                uplink.send(b"", b"chatter")

    def echo() -> None:
        for number in range(300):
            broker.send_multipart([route, b"%d" % number])
            while broker.recv_multipart()[1:] != [b"%d" % number, b"echo"]:
                pass

    threads = [threading.Thread(target=target) for target in (chatter, echo)]
    for thread in threads:
        thread.start()
    for number in range(300):  # each comes only after the answer to the one before
        assert received(uplink) == [b"%d" % number]
        uplink.send(b"%d" % number, b"echo")
    threads[1].join()
    stop.set()
    threads[0].join()


def test_what_cannot_be_sent_waits_for_the_next_broker(
    uplink: Uplink, bind: Bind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("octoverse.servers.uplink._OUTBOX", 3)
    for number in range(5):
        uplink.send(b"%d" % number, b"")
    assert uplink.behind
    assert uplink.unsent == 2
    broker = bind()
    all_sent(uplink)
    assert [broker.recv_multipart()[1] for _ in range(3)] == [b"2", b"3", b"4"]


def test_what_is_sent_last_is_sent_before_it_closes(address: str, bind: Bind) -> None:
    broker, uplink = bind(), Uplink(address, 2**20)
    uplink.send(b"", b"hello")
    all_sent(uplink)
    uplink.send(b"", b"bye")
    uplink.close()
    uplink.send(b"", b"too late")
    assert [broker.recv_multipart()[2] for _ in range(2)] == [b"hello", b"bye"]


def test_an_address_that_is_none_is_refused_in_words() -> None:
    with pytest.raises(ServerError, match=r"join: expected a broker's address .* got nowhere \("):
        Uplink("nowhere", 2**20)
