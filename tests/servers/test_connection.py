import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import zmq

from octoverse.errors import BadMessage, ServerUnreachable
from octoverse.servers.connection import Connection
from octoverse.wire import Act, Fault, Pong, Reply, Timing, encode

Connect = Callable[..., Connection]
Until = Callable[[Callable[[], bool]], None]
PONG = Pong(request=2, model="servo-1", uptime_s=1.0, sessions=0, queue=0, load=0.0)
TIMING = Timing(prepared_ms=1.0, queued_ms=1.0, inference_ms=5.0, total_ms=7.0, batch=1)


class Peer:
    """A server's socket that does what the test says."""

    def __init__(self, address: str = "tcp://127.0.0.1:*") -> None:
        self.context = zmq.Context()
        self.socket: zmq.Socket[bytes] = self.context.socket(zmq.ROUTER)
        self.socket.setsockopt(zmq.RCVTIMEO, 60_000)
        self.socket.bind(address)
        self.address = self.socket.getsockopt_string(zmq.LAST_ENDPOINT)

    def hear(self) -> list[bytes]:
        self.route, *frames = self.socket.recv_multipart()
        return frames

    def say(self, *frames: bytes | Reply) -> None:
        sent = [frame if isinstance(frame, bytes) else encode(frame) for frame in frames]
        self.socket.send_multipart([self.route, *sent])

    def die(self) -> None:
        self.context.destroy(linger=0)


@pytest.fixture
def peer() -> Iterator[Peer]:
    peer = Peer()
    yield peer
    peer.die()


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Opens connections that are closed when the test ends."""
    connections: list[Connection] = []

    def start(address: str, timeout: float = 60.0) -> Connection:
        connections.append(Connection(address, timeout))
        return connections[-1]

    yield start
    for connection in connections:
        connection.close()


@pytest.fixture
def thread() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


def up(connection: Connection) -> bool:
    connection._watch()
    return connection._up


def test_an_answer_comes_with_its_body(
    peer: Peer, connect: Connect, thread: ThreadPoolExecutor
) -> None:
    asking = thread.submit(connect(peer.address).ask, b"header", b"body", 2)
    assert peer.hear() == [b"header", b"body"]
    peer.say(PONG, b"numbers")
    reply, body = asking.result(60)
    assert reply == PONG
    assert bytes(body) == b"numbers"


def test_an_answer_of_one_frame_has_an_empty_body(
    peer: Peer, connect: Connect, thread: ThreadPoolExecutor
) -> None:
    asking = thread.submit(connect(peer.address).ask, b"header", b"", 2)
    peer.hear()
    peer.say(PONG)
    assert asking.result(60)[1].nbytes == 0


def test_answers_to_others_are_dropped_counted_and_said(
    peer: Peer, connect: Connect, thread: ThreadPoolExecutor, caplog: pytest.LogCaptureFixture
) -> None:
    connection = connect(peer.address)
    with caplog.at_level(logging.INFO):
        asking = thread.submit(connection.ask, b"header", b"", 2)
        peer.hear()
        peer.say(Act(request=1, step=0, observed_at_ns=0, timing=TIMING), b"late numbers")
        peer.say(Fault(code="stale", message="Too late.", remedy="Hurry.", request=1))
        peer.say(PONG, b"mine")
        reply, body = asking.result(60)
    assert (reply, bytes(body)) == (PONG, b"mine")
    assert connection.late == 2
    assert caplog.messages == [
        "dropped a late answer, 7 ms old",
        "an earlier message was refused: Too late. Hurry.",
    ]


def test_a_fault_of_what_could_not_be_read_answers_whoever_waits(
    peer: Peer, connect: Connect, thread: ThreadPoolExecutor
) -> None:
    connection, fault = connect(peer.address), Fault(code="bad_message", message="Nonsense.")
    asking = thread.submit(connection.ask, b"header", b"", 2)
    peer.hear()
    peer.say(fault)
    assert asking.result(60)[0] == fault
    assert connection.late == 0


def test_what_is_not_of_this_protocol_is_refused(
    peer: Peer, connect: Connect, thread: ThreadPoolExecutor
) -> None:
    asking = thread.submit(connect(peer.address).ask, b"header", b"", 2)
    peer.hear()
    peer.say(b"nonsense", b"")
    with pytest.raises(BadMessage, match="header: expected a message of protocol 1"):
        asking.result(60)


def test_a_question_is_asked_again_when_the_connection_breaks(
    peer: Peer, connect: Connect, thread: ThreadPoolExecutor, caplog: pytest.LogCaptureFixture
) -> None:
    connection = connect(peer.address)
    asking = thread.submit(connection.ask, b"header", b"body", 2)
    peer.hear()
    peer.die()
    again = Peer(peer.address)
    try:
        assert again.hear() == [b"header", b"body"]
        again.say(PONG)
        assert asking.result(60)[0] == PONG
    finally:
        again.die()
    assert f"{peer.address}: lost the policy server, trying again" in caplog.messages
    assert f"{peer.address}: the policy server is back" in caplog.messages


def test_an_answer_sent_just_before_the_connection_broke_still_counts(
    peer: Peer, connect: Connect
) -> None:
    connection = connect(peer.address)
    connection.tell(b"header", b"")
    peer.hear()
    peer.say(PONG, b"numbers")
    assert connection._socket.poll(60_000)
    connection._watch()
    peer.die()
    assert connection._events.poll(60_000)
    answer = connection._receive(2, time.monotonic() + 60)
    assert answer is not None
    assert bytes(answer[1]) == b"numbers"


def test_what_is_told_waits_for_no_answer(peer: Peer, connect: Connect) -> None:
    connect(peer.address).tell(b"header", b"body")
    assert peer.hear() == [b"header", b"body"]


def test_a_server_that_is_silent_is_told_from_one_that_is_away(
    peer: Peer, connect: Connect, until: Until
) -> None:
    connection = connect(peer.address)
    connection.tell(b"header", b"")
    until(lambda: up(connection))
    connection.timeout = 0.1
    words = r"answer within 0.1 s, got none, .* Raise the timeout, or ask it for less\."
    with pytest.raises(ServerUnreachable, match=words):
        connection.ask(b"header", b"", 2)
    peer.die()
    assert connection._events.poll(60_000)
    words = r"no connection within 0.1 s\. Start one with `octoverse serve`, or correct the addr"
    with pytest.raises(ServerUnreachable, match=words):
        connection.ask(b"header", b"", 2)
    with pytest.raises(ServerUnreachable, match=words):
        connection.tell(b"header", b"")


def test_nothing_piles_up_for_a_server_that_is_away(peer: Peer, connect: Connect) -> None:
    peer.die()
    connection = connect(peer.address, timeout=0.05)
    for _ in range(3):
        with pytest.raises(ServerUnreachable):
            connection.tell(b"stale", b"")
    again = Peer(peer.address)
    try:
        connection.timeout = 60.0
        connection.tell(b"fresh", b"")
        assert again.hear() == [b"fresh", b""]
    finally:
        again.die()


def test_the_last_words_are_sent_and_closing_twice_is_harmless(
    peer: Peer, connect: Connect, thread: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("octoverse.servers.connection._LAST_WORDS_MS", 60_000)
    connection = connect(peer.address)
    asking = thread.submit(connection.ask, b"header", b"", 2)
    peer.hear()
    peer.say(PONG)
    asking.result(60)
    connection.close(b"bye")
    connection.close(b"bye")
    assert peer.hear() == [b"bye", b""]
    assert peer.socket.poll(20) == 0


def test_closing_never_waits_for_a_server_that_never_was(
    peer: Peer, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("octoverse.servers.connection._LAST_WORDS_MS", 120_000)
    peer.die()
    connection, began = connect(peer.address), time.monotonic()
    connection.close(b"bye")
    assert time.monotonic() - began < 60
    assert connection._context.closed


def test_last_words_to_a_server_that_just_left_are_given_up(
    peer: Peer, connect: Connect, until: Until, caplog: pytest.LogCaptureFixture
) -> None:
    connection = connect(peer.address)
    connection.tell(b"header", b"")
    until(lambda: up(connection))
    peer.die()
    assert connection._events.poll(60_000)
    until(lambda: not connection._socket.poll(0, zmq.POLLOUT))
    with caplog.at_level(logging.DEBUG):
        connection.close(b"bye")
    assert f"{peer.address} is gone already" in caplog.messages
