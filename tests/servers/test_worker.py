import logging
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import zmq

from octoverse import wire
from octoverse.embodiments.tabletop_arm import TABLETOP_ARM
from octoverse.errors import ServerError
from octoverse.packing import pack, views
from octoverse.servers import worker as module
from octoverse.servers.backend_messages import (
    Beat,
    Heard,
    Show,
    Shown,
    encode,
    read_status,
    read_worker,
)
from octoverse.servers.service import Service
from octoverse.servers.uplink import Uplink
from octoverse.servers.worker import Worker
from octoverse.synthetic import random_frame

Until = Callable[[Callable[[], bool]], None]
ROOT = Path(__file__).parents[2]
FRAME = random_frame(TABLETOP_ARM, np.random.default_rng(0))
HELLO = wire.encode(wire.Hello(protocol=1, embodiment=TABLETOP_ARM, request=1))


class FakeBroker:
    """Speaks to workers as a test tells it to."""

    def __init__(self, context: "zmq.Context[Any]", address: str) -> None:
        self.socket: zmq.Socket[bytes] = context.socket(zmq.ROUTER)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.setsockopt(zmq.RCVTIMEO, 60_000)
        self.socket.bind(address)
        self.route = b""

    def beat(self, of: Callable[[Beat], bool] = lambda beat: True) -> Beat:
        """The next thing that the worker says of itself, of which this holds."""
        while True:
            self.route, robot, *rest = self.socket.recv_multipart()
            if not robot and isinstance(beat := read_worker(rest[0]), Beat) and of(beat):
                return beat

    def shown(self) -> Shown:
        """The next pictures that the worker shows."""
        while True:
            self.route, robot, *rest = self.socket.recv_multipart()
            if not robot and isinstance(shown := read_worker(rest[0]), Shown):
                return shown

    def answer(self) -> tuple[bytes, wire.Reply, bytes]:
        """The next thing that the worker says to a robot."""
        while True:
            self.route, robot, *rest = self.socket.recv_multipart()
            if robot:
                return robot, wire.read_reply(rest[0]), rest[1]

    def say(self, *frames: bytes) -> None:
        self.socket.send_multipart([self.route, *frames])


@pytest.fixture
def address(tmp_path: Path) -> str:
    return f"ipc://{tmp_path}/workers"


@pytest.fixture
def broker(address: str) -> Iterator[FakeBroker]:
    with zmq.Context() as context:
        one = FakeBroker(context, address)
        yield one
        one.socket.close()


@pytest.fixture
def worker(servo: Any, address: str) -> Iterator[Worker]:
    with Worker(Service(servo()), address, name="w") as one:
        yield one


def test_it_joins_and_tells_what_it_has(worker: Worker, broker: FakeBroker) -> None:
    beat = broker.beat()
    assert (beat.name, beat.model, beat.sessions) == ("w", "servo-1", ())
    assert beat.bodies == ("tabletop_arm", "road_car")
    assert (beat.queue, beat.load, beat.healthy, beat.leaving) == (0, 0.0, True, False)


def test_it_answers_robots_by_the_way_they_came(worker: Worker, broker: FakeBroker) -> None:
    broker.beat()
    broker.say(b"robot", b"key", HELLO, b"")
    robot, welcome, _ = broker.answer()
    assert robot == b"robot"
    assert isinstance(welcome, wire.Welcome)
    [known] = worker.service.robots
    assert (known.id, known.peer) == (welcome.session, "key")
    beat = broker.beat(lambda beat: len(beat.sessions) > 0)
    assert beat.sessions == (welcome.session,)
    [robot_status] = read_status(beat.status).robots
    assert robot_status.number == known.number


def test_actions_come_beside_their_header(worker: Worker, broker: FakeBroker) -> None:
    broker.beat()
    broker.say(b"robot", b"", HELLO, b"")
    _, welcome, _ = broker.answer()
    assert isinstance(welcome, wire.Welcome)
    observe = wire.Observe(session=welcome.session, request=2, observed_at_ns=0)
    arrays = {k: v for k, v in FRAME.items() if not isinstance(v, str)}
    words = {k: v for k, v in FRAME.items() if isinstance(v, str)}
    header, body = pack(msgspec.structs.replace(observe, words=words), arrays)
    broker.say(b"robot", b"", header, body.tobytes())
    _, act, packed = broker.answer()
    assert isinstance(act, wire.Act)
    assert views(act.arrays, packed, 10**6).keys() == TABLETOP_ARM.action.keys()


def test_it_shows_what_a_robot_sees(worker: Worker, broker: FakeBroker) -> None:
    broker.beat()
    broker.say(b"robot", b"", HELLO, b"")
    _, welcome, _ = broker.answer()
    assert isinstance(welcome, wire.Welcome)
    [known] = worker.service.robots
    known.session.observe(FRAME, 1)
    for number, cameras in ((known.number, {"table", "wrist"}), (0, set[str]())):
        broker.say(b"", encode(Show(robot=number)))
        shown = broker.shown()
        assert (shown.robot, set(shown.pictures)) == (number, cameras)
        for picture in shown.pictures.values():
            assert picture.array().shape == (24, 32, 3)


def test_another_key_does_not_get_the_session(worker: Worker, broker: FakeBroker) -> None:
    broker.beat()
    broker.say(b"robot", b"key", HELLO, b"")
    _, welcome, _ = broker.answer()
    assert isinstance(welcome, wire.Welcome)
    stolen = wire.Observe(session=welcome.session, request=2, observed_at_ns=0)
    broker.say(b"thief", b"other", wire.encode(stolen), b"")
    robot, fault, _ = broker.answer()
    assert robot == b"thief"
    assert isinstance(fault, wire.Fault)
    assert fault.code == "no_session"


def test_it_says_that_the_broker_is_away_and_that_it_is_back(
    servo: Any,
    address: str,
    until: Until,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(module, "_SILENT_S", 0.0)
    with Worker(Service(servo()), address):
        until(lambda: "the broker is away; it keeps 0 robots and goes on trying" in caplog.text)
        with zmq.Context() as context:
            broker = FakeBroker(context, address)
            broker.beat()
            broker.say(b"", encode(Heard()))
            until(lambda: f"the broker is back at {address}" in caplog.text)
            broker.socket.close()


@pytest.mark.parametrize(
    ("frames", "words"),
    [
        ([b"one"], "the broker sent 1 frames, expected 2 or 4"),
        ([b"", b"nonsense"], "expected one between broker and worker"),
    ],
)
def test_nonsense_from_the_broker_is_logged_and_nothing_else(
    worker: Worker,
    broker: FakeBroker,
    until: Until,
    caplog: pytest.LogCaptureFixture,
    frames: list[bytes],
    words: str,
) -> None:
    broker.beat()
    broker.say(*frames)
    until(lambda: words in caplog.text)
    assert broker.beat().name == "w"


def test_a_fault_in_the_service_itself_costs_one_message(
    worker: Worker, broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker.beat()
    with monkeypatch.context() as patch:
        patch.setattr(worker.service, "receive", None)
        broker.say(b"robot", b"", HELLO, b"")
        _, fault, _ = broker.answer()
    assert isinstance(fault, wire.Fault)
    assert fault.message == "message: expected one that can be handled."
    broker.say(b"robot", b"", HELLO, b"")
    assert isinstance(broker.answer()[1], wire.Welcome)


def test_it_takes_leave(servo: Any, address: str, broker: FakeBroker) -> None:
    worker = Worker(Service(servo()), address).start()
    broker.beat()
    worker.stop()
    worker.stop()
    assert broker.beat(lambda beat: beat.leaving).sessions == ()


def test_an_address_that_is_none_is_refused_in_words(servo: Any) -> None:
    with pytest.raises(ServerError, match=r"join: expected a broker's address .* got nowhere \("):
        Worker(Service(servo()), "nowhere").start()


def test_it_ends_when_its_socket_breaks(
    servo: Any, address: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    worker = Worker(Service(servo()), address)

    def broken() -> None:
        raise OSError("out of sockets")

    monkeypatch.setattr(Uplink, "receive", lambda uplink: broken())
    with pytest.raises(ServerError, match="The server's socket broke; the log says why"):
        worker.run()
    assert "out of sockets" in caplog.text


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order(
    address: str, broker: FakeBroker, number: signal.Signals
) -> None:
    command = [sys.executable, "-m", "tests.servers.servo_worker", address]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        broker.beat()
        process.send_signal(number)
        broker.beat(lambda beat: beat.leaving)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "Traceback" not in said


def test_it_says_what_it_serves_and_for_whom(
    servo: Any, address: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO), Worker(Service(servo()), address, name="w"):
        assert f"worker w: servo-1, for {address}" in caplog.text
