import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import zmq

from octoverse.embodiments.tabletop_arm import TABLETOP_ARM
from octoverse.errors import BadMessage, ServerUnreachable
from octoverse.servers.connection import Connection
from octoverse.servers.conversation import Conversation
from octoverse.servers.line import Line, Want
from octoverse.servers.talk import SENT, Answer, Message, say
from octoverse.wire import Act, Closing, Fault, Pong, Timing

Connect = Callable[..., Connection]
PONG = Pong(request=2, model="servo-1", uptime_s=1.0, sessions=0, queue=0, load=0.0)
TIMING = Timing(prepared_ms=1.0, queued_ms=1.0, inference_ms=5.0, total_ms=7.0, batch=1)


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Opens connections that are closed when the test ends."""
    connections: list[Connection] = []

    def start(address: str, timeout: float = 60.0) -> Connection:
        line = Line(address, timeout, Conversation(TABLETOP_ARM).read)
        connections.append(Connection(line))
        return connections[-1]

    yield start
    for connection in connections:
        connection.line.close()


@pytest.fixture
def thread() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


def ask(connection: Connection, header: bytes = b"header", request: int = 2) -> Answer:
    return connection.carry(say(lambda: Message(header, b"body", request)))[1]


def tell(connection: Connection, header: bytes) -> Answer:
    return connection.carry(say(lambda: Message(header)))[1]


def test_an_answer_comes_with_its_body(
    puppet: Any, connect: Connect, thread: ThreadPoolExecutor
) -> None:
    peer = puppet()
    asking = thread.submit(ask, connect(peer.address))
    assert peer.hear() == [b"header", b"body"]
    peer.say(PONG, b"numbers")
    reply, body, _ = asking.result(60)
    assert reply == PONG
    assert bytes(body) == b"numbers"


def test_an_answer_of_one_frame_has_an_empty_body(
    puppet: Any, connect: Connect, thread: ThreadPoolExecutor
) -> None:
    peer = puppet()
    asking = thread.submit(ask, connect(peer.address))
    peer.hear()
    peer.say(PONG)
    assert asking.result(60).body.nbytes == 0


def test_what_is_told_waits_for_no_answer(puppet: Any, connect: Connect) -> None:
    peer = puppet()
    assert tell(connect(peer.address), b"header") is SENT
    assert peer.hear() == [b"header", b""]


def test_answers_to_others_are_passed_over(
    puppet: Any, connect: Connect, thread: ThreadPoolExecutor, caplog: pytest.LogCaptureFixture
) -> None:
    peer = puppet()
    with caplog.at_level(logging.INFO):
        asking = thread.submit(ask, connect(peer.address))
        peer.hear()
        peer.say(Act(request=1, step=0, observed_at_ns=0, timing=TIMING), b"late numbers")
        peer.say(Fault(code="stale", message="Too late.", remedy="Hurry.", request=1))
        peer.say(Closing(reason="A new model comes."))
        peer.say(PONG, b"mine")
        assert bytes(asking.result(60).body) == b"mine"
    assert caplog.messages == [
        "dropped a late answer, 7 ms old",
        "an earlier message was refused: Too late. Hurry.",
        "tabletop_arm: the policy server stops: A new model comes.",
    ]


def test_a_fault_of_what_could_not_be_read_answers_whoever_waits(
    puppet: Any, connect: Connect, thread: ThreadPoolExecutor
) -> None:
    peer, fault = puppet(), Fault(code="bad_message", message="Nonsense.")
    asking = thread.submit(ask, connect(peer.address))
    peer.hear()
    peer.say(fault)
    assert asking.result(60).reply == fault


def test_what_is_not_of_this_protocol_is_refused(
    puppet: Any, connect: Connect, thread: ThreadPoolExecutor
) -> None:
    peer = puppet()
    asking = thread.submit(ask, connect(peer.address))
    peer.hear()
    peer.say(b"nonsense", b"")
    with pytest.raises(BadMessage, match="header: expected a message of protocol 1"):
        asking.result(60)


def test_a_question_is_asked_again_when_the_connection_breaks(
    puppet: Any, connect: Connect, thread: ThreadPoolExecutor, caplog: pytest.LogCaptureFixture
) -> None:
    peer = puppet()
    asking = thread.submit(ask, connect(peer.address))
    peer.hear()
    peer.say(Closing(reason="A new model comes."))
    peer.die(linger=-1)
    again = puppet(peer.address)
    assert again.hear() == [b"header", b"body"]
    again.say(PONG)
    assert asking.result(60).reply == PONG
    assert caplog.messages == [
        "tabletop_arm: the policy server stops: A new model comes.",
        f"{peer.address}: lost the policy server, trying again",
        f"{peer.address}: the policy server is back",
    ]


def test_a_server_that_is_silent_is_told_from_one_that_is_away(
    puppet: Any, connect: Connect
) -> None:
    peer = puppet()
    connection = connect(peer.address)
    tell(connection, b"header")
    connection.line.timeout = 0.1
    words = r"answer within 0.1 s, got none, .* Raise the timeout, or ask it for less\."
    with pytest.raises(ServerUnreachable, match=words):
        ask(connection)
    peer.die()
    assert connection.line.sockets[1].poll(60_000)
    words = r"no connection within 0.1 s\. Start one with `octoverse serve`, or correct the addr"
    with pytest.raises(ServerUnreachable, match=words):
        ask(connection)
    with pytest.raises(ServerUnreachable, match=words):
        tell(connection, b"header")


def test_nothing_piles_up_for_a_server_that_is_away(puppet: Any, connect: Connect) -> None:
    peer = puppet()
    peer.die()
    connection = connect(peer.address, timeout=0.05)
    for _ in range(3):
        with pytest.raises(ServerUnreachable):
            tell(connection, b"stale")
    again = puppet(peer.address)
    connection.line.timeout = 60.0
    tell(connection, b"fresh")
    assert again.hear() == [b"fresh", b""]


def test_no_wait_is_longer_than_the_timeout(
    puppet: Any, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    peer = puppet()
    peer.die()
    waited, wait = list[float](), Connection._wait

    def noted(self: Connection, want: Want, seconds: float) -> Any:
        waited.append(seconds)
        return wait(self, want, seconds)

    monkeypatch.setattr(Connection, "_wait", noted)
    with pytest.raises(ServerUnreachable):
        tell(connect(peer.address, timeout=0.3), b"header")
    assert waited
    assert max(waited) <= 0.3


def test_a_full_line_is_waited_for(
    puppet: Any, connect: Connect, thread: ThreadPoolExecutor
) -> None:
    peer = puppet(RCVHWM=1)
    connection = connect(peer.address)
    tell(connection, b"header")
    large, count = bytes(10**6), 1
    while connection.line.sockets[0].poll(0, zmq.POLLOUT):
        connection.carry(say(lambda: Message(large)))
        count += 1
    telling = thread.submit(tell, connection, b"last")
    heard = [peer.hear()[0] for _ in range(count + 1)]
    assert telling.result(60) is SENT
    assert heard[-1] == b"last"


def test_a_pause_is_slept(puppet: Any, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    connection, slept = connect(puppet().address), list[float]()
    monkeypatch.setattr(time, "sleep", slept.append)
    assert connection._wait(Want.PAUSE, 0.4) is None
    assert slept == [0.4]
