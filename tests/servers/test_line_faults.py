"""Connections that break, are cut, refused or fall silent, and what is said of them."""

import socket as sockets
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import zmq

from octoverse.errors import ServerUnreachable
from octoverse.servers import line as lines
from octoverse.servers.line import Line, Want
from octoverse.servers.talk import Answer, Message

Until = Callable[[Callable[[], bool]], None]
Open = Callable[..., Line]
Reach = Callable[[Line], None]


def ask(request: int = 2) -> Message:
    return Message(b"header", b"body", request)


def soon() -> float:
    return time.monotonic() + 60.0


def end_of(waits: Any, came: Any = None) -> Answer | None:
    with pytest.raises(StopIteration) as end:
        waits.send(came)
    answer: Answer | None = end.value.value
    return answer


def test_a_server_that_hangs_up_is_asked_ever_more_seldom(open_line: Open) -> None:
    with sockets.socket() as rude:
        rude.bind(("127.0.0.1", 0))
        rude.listen()
        done = threading.Event()

        def hang_up() -> None:
            while not done.is_set():
                rude.accept()[0].close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        line = open_line(f"tcp://127.0.0.1:{rude.getsockname()[1]}")
        waits, pauses, came = line.exchange(ask(), soon()), list[float](), None
        while len(pauses) < 8:
            want, seconds = waits.send(came)
            if want is Want.PAUSE:
                pauses.append(seconds)
            else:
                assert line.sockets[1].poll(60_000)
        done.set()
        line.timeout = 0.1
        words = r"no connection within 0.1 s\. What answers there hung up: it wants keys \(see `oct"
        with pytest.raises(ServerUnreachable, match=words):
            next(line.exchange(ask(), time.monotonic()))
        sockets.create_connection(rude.getsockname()).close()
        thread.join()
    assert pauses == pytest.approx([0.0, 0.05, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0])


def test_a_server_that_takes_none_as_large_is_suspected_of_it(
    puppet: Any, open_line: Open, until: Until, reach: Reach
) -> None:
    peer = puppet(MAXMSGSIZE=1000)
    line = open_line(peer.address, timeout=0.1)
    for _ in range(2):
        reach(line)
        waits = line.exchange(Message(b"header", bytes(5000), 2), soon())
        assert next(waits)[0] is Want.ANSWER
        until(lambda: broke(line))
        assert end_of(waits) is None
    words = r"cut 2 times before a message of 5006 bytes was answered: perhaps the server takes no"
    with pytest.raises(ServerUnreachable, match=words):
        next(line.exchange(ask(), time.monotonic()))


def broke(line: Line) -> bool:
    line.look()
    return not line.up


def test_a_connection_that_fell_silent_is_lost(
    puppet: Any,
    hose: Any,
    open_line: Open,
    reach: Reach,
    until: Until,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lines, "_HEARTBEAT_MS", 50)
    monkeypatch.setattr(lines, "_SILENCE_MS", 200)
    way = hose(puppet().address)
    line = open_line(way.address)
    reach(line)
    way.pinched.set()
    until(lambda: broke(line))


def curve(secret: bytes, public: bytes, server: bytes) -> Callable[["zmq.Socket[bytes]"], None]:
    def secure(socket: "zmq.Socket[bytes]") -> None:
        socket.setsockopt(zmq.CURVE_SECRETKEY, secret)
        socket.setsockopt(zmq.CURVE_PUBLICKEY, public)
        socket.setsockopt(zmq.CURVE_SERVERKEY, server)

    return secure


SERVER_PUBLIC, SERVER_SECRET = zmq.curve_keypair()
PUBLIC, SECRET = zmq.curve_keypair()
WITH_KEYS: dict[str, Any] = {"CURVE_SERVER": 1, "CURVE_SECRETKEY": SERVER_SECRET}


@pytest.mark.parametrize(
    ("theirs", "ours", "words"),
    [
        (WITH_KEYS, None, r"hung up: it wants keys \(see `octoverse keys`\), or is none\."),
        (WITH_KEYS, (SECRET, PUBLIC, PUBLIC), "hung up on these keys: it is not the server whose"),
        ({}, (SECRET, PUBLIC, SERVER_PUBLIC), r"public key was given, or it uses no keys\."),
    ],
)
def test_keys_that_do_not_fit_are_explained(
    puppet: Any, open_line: Open, until: Until, theirs: Any, ours: Any, words: str
) -> None:
    peer = puppet(**theirs)
    line = open_line(peer.address, 0.1, secure=None if ours is None else curve(*ours))
    until(lambda: failed(line))
    with pytest.raises(ServerUnreachable, match=words):
        next(line.exchange(ask(), time.monotonic()))


def failed(line: Line) -> bool:
    line.look()
    return line._trouble is not None


def test_a_key_that_is_not_allowed_is_explained_and_tried_again(
    puppet: Any, open_line: Open, until: Until
) -> None:
    context = zmq.Context()
    gate: zmq.Socket[bytes] = context.socket(zmq.REP)
    gate.bind("inproc://zeromq.zap.01")
    server: zmq.Socket[bytes] = context.socket(zmq.ROUTER)
    for name, value in WITH_KEYS.items():
        server.setsockopt(getattr(zmq, name), value)
    server.bind("tcp://127.0.0.1:*")
    address = server.getsockopt_string(zmq.LAST_ENDPOINT)
    line = open_line(address, 0.1, secure=curve(SECRET, PUBLIC, SERVER_PUBLIC))
    verdicts = iter([b"400", b"200"])

    def judged() -> None:
        version, number, *_ = gate.recv_multipart()
        gate.send_multipart([version, number, next(verdicts), b"", b"", b""])

    judged()
    until(lambda: failed(line))
    with pytest.raises(ServerUnreachable, match=r"does not allow this client's key. Allow it the"):
        next(line.exchange(ask(), time.monotonic()))
    waits = line.exchange(ask(), soon())
    assert [next(waits)[0] for _ in range(2)] == [Want.PAUSE, Want.CONNECTION]
    judged()
    until(lambda: not broke(line))
    context.destroy(linger=0)
