import logging
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import zmq

from octoverse import wire
from octoverse.acting import LocalPolicy
from octoverse.embodiments.road_car import ROAD_CAR
from octoverse.embodiments.tabletop_arm import TABLETOP_ARM
from octoverse.errors import RemoteError, ServerError, ServerUnreachable
from octoverse.servers.allow_list import allow, revoke
from octoverse.servers.backend_messages import Beat, encode
from octoverse.servers.broker import Broker
from octoverse.servers.client import Client
from octoverse.servers.curve import Curve
from octoverse.servers.keys import ClientKeys, make_pair, read_public
from octoverse.servers.service import Service
from octoverse.servers.worker import Worker
from octoverse.synthetic import random_frame

Until = Callable[[Callable[[], bool]], None]
Start = Callable[..., Broker]
Join_ = Callable[..., Worker]
Dealer = Callable[..., "zmq.Socket[bytes]"]
ROOT = Path(__file__).parents[2]
FRAME = random_frame(TABLETOP_ARM, np.random.default_rng(0))
WAIT = {**FRAME, "instruction": "wait here"}


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Start]:
    """Starts brokers that are stopped when the test ends."""
    brokers: list[Broker] = []

    def start(**settings: Any) -> Broker:
        where = {"address": "tcp://127.0.0.1:0", "workers_at": f"ipc://{tmp_path}/workers"}
        brokers.append(Broker(**{**where, **settings}))
        return brokers[-1].start()

    yield start
    for one in brokers:
        one.stop()


@pytest.fixture
def join(servo: Any, until: Until) -> Iterator[Join_]:
    """Lets workers of this process join a broker; they are stopped when the test ends."""
    workers: list[Worker] = []

    def start(broker: Broker, policy: Any = None, **settings: Any) -> Worker:
        worker = Worker(Service(policy or servo(), **settings), broker.workers_at).start()
        workers.append(worker)
        until(lambda: worker.name in broker.workers)
        return worker

    yield start
    for one in workers:
        one.stop()


@pytest.fixture
def process(tmp_path: Path, until: Until) -> Iterator[Callable[[Broker], subprocess.Popen[bytes]]]:
    """Starts worker processes, one after another."""
    processes: list[subprocess.Popen[bytes]] = []

    def start(broker: Broker) -> subprocess.Popen[bytes]:
        before = len(broker.workers)
        module = [sys.executable, "-m", "tests.servers.servo_worker"]
        command = [*module, broker.workers_at, str(tmp_path / "begun")]
        processes.append(subprocess.Popen(command, cwd=ROOT))
        until(lambda: len(broker.workers) > before)
        return processes[-1]

    yield start
    for one in processes:
        one.kill()
        one.wait()


@pytest.fixture
def dealer() -> Iterator[Callable[..., "zmq.Socket[bytes]"]]:
    """Makes sockets that say what they are told to: bare robots, and workers that do not work."""
    with zmq.Context() as context, ExitStack() as sockets:

        def connect(address: str, **options: int) -> "zmq.Socket[bytes]":
            socket = sockets.enter_context(context.socket(zmq.DEALER))
            for name, value in {"LINGER": 0, "RCVTIMEO": 60_000, **options}.items():
                socket.setsockopt(getattr(zmq, name), value)
            socket.connect(address)
            return socket

        yield connect


def joining(*sessions: str) -> list[bytes]:
    beat = Beat(
        name="fake",
        sessions=sessions,
        leaving=False,
        model="m",
        bodies=("tabletop_arm",),
        queue=0,
        load=0.0,
        healthy=True,
        status=msgspec.Raw(b"\x80"),
    )
    return [b"", encode(beat)]


def test_two_workers_share_the_robots(
    broker: Start, join: Join_, drive: Any, servo: Any, until: Until
) -> None:
    front = broker()
    workers = [join(front), join(front)]
    bodies = [TABLETOP_ARM, ROAD_CAR, TABLETOP_ARM, ROAD_CAR]
    clients = [Client(front.address, body) for body in bodies]
    assert [len(w.service.robots) for w in workers] == [2, 2]
    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(drive, client, seed) for seed, client in enumerate(clients)]
        for seed, (body, job) in enumerate(zip(bodies, jobs, strict=True)):
            # The same windows of three frames, the same memories, as without any server.
            alone = drive(LocalPolicy(servo(), body), seed)
            for chunk, expected in zip(job.result(), alone, strict=True):
                assert chunk.observed_at_ns == expected.observed_at_ns
                for group in expected.action:
                    np.testing.assert_array_equal(chunk.action[group], expected.action[group])
    until(lambda: front.status().answered == sum(w.service.status().answered for w in workers))
    status = front.status()
    assert status.answered > 0
    assert sorted(robot.number % 100 for robot in status.robots) == [1, 1, 2, 2]
    assert {robot.body for robot in status.robots} == {"tabletop_arm", "road_car"}
    assert [(worker.number, worker.robots) for worker in status.workers] == [(1, 2), (2, 2)]
    assert (status.address, status.model, status.healthy) == (front.address, "servo-1", True)
    for client in clients:
        client.close()


def test_a_page_gets_what_a_robot_sees_from_its_worker(
    broker: Start, join: Join_, until: Until
) -> None:
    front = broker()
    workers = [join(front), join(front)]
    with Client(front.address, TABLETOP_ARM), Client(front.address, TABLETOP_ARM) as second:
        second.act(FRAME)
        [robot] = [r for w in workers for r in w.service.robots if r.id == second.session]
        until(lambda: len(front.status().robots) == 2)
        [number] = [r.number for r in front.status().robots if r.number // 100 == robot.number]
        pictures = front.pictures(number)
        assert {name: image.shape for name, image in pictures.items()} == {
            "table": (24, 32, 3),
            "wrist": (24, 32, 3),
        }
        np.testing.assert_array_equal(pictures["table"], robot.session.pictures()["table"])
        assert front.pictures(99) == {}


def test_a_robot_that_says_bye_is_forgotten(broker: Start, join: Join_, until: Until) -> None:
    front = broker()
    worker = join(front)
    with Client(front.address, TABLETOP_ARM) as client:
        assert client.ping().sessions == 1
    until(lambda: len(worker.service.robots) == 0)
    until(lambda: not front.workers[worker.name].sessions)


def test_a_killed_worker_costs_its_robots_their_window_and_the_others_nothing(
    broker: Start, process: Any, tmp_path: Path, until: Until, caplog: pytest.LogCaptureFixture
) -> None:
    front = broker()
    doomed = process(front)
    one = Client(front.address, TABLETOP_ARM)
    process(front)
    two = Client(front.address, TABLETOP_ARM)
    session = one.welcome.session
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(one.act, WAIT)
        until((tmp_path / "begun").exists)
        os.kill(doomed.pid, signal.SIGKILL)
        assert two.act(FRAME).action
        assert asked.result().action
    assert (one.restarts, two.restarts) == (1, 0)
    assert one.session != session
    assert "is gone; its 1 robots start anew with others" in caplog.text
    assert "the server forgot this robot; saying hello again" in caplog.text
    [left] = front.workers.values()
    assert set(left.sessions) == {one.session, two.session}
    assert front.status().faults == {"worker_lost": 1}
    one.close()
    two.close()


def test_a_worker_that_stops_answers_what_it_took(
    broker: Start, join: Join_, servo: Any, until: Until
) -> None:
    front, policy = broker(), servo()
    worker = join(front, policy)
    policy.hold.clear()
    with Client(front.address, TABLETOP_ARM) as client:
        with ThreadPoolExecutor(2) as pool:
            asked = pool.submit(client.act, FRAME)
            until(lambda: len(policy.batches) == 1)
            stopping = pool.submit(worker.stop)
            until(lambda: front.workers[worker.name].beat.leaving)
            join(front)
            policy.hold.set()
            assert asked.result().action
            stopping.result()
        until(lambda: worker.name not in front.workers)
        assert client.restarts == 0
        assert client.act(FRAME).action
        assert client.restarts == 1


def test_a_broker_that_is_started_again_finds_its_sessions(
    broker: Start, join: Join_, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("octoverse.servers.broker._SETTLE_S", 60.0)
    front = broker()
    worker = join(front)
    with Client(front.address, TABLETOP_ARM) as client:
        client.act(FRAME, observed_at_ns=1)
        session = client.welcome.session
        front._board.close = lambda reason: None  # type: ignore[method-assign]
        front.stop()  # without a word, as one that is killed
        again = broker(address=front.address)
        assert client.act(FRAME, observed_at_ns=2).action
        assert client.welcome.session == session
        [robot] = worker.service.robots
        assert robot.requests == 2
        assert list(again.workers[worker.name].sessions) == [session]


def test_without_workers_robots_are_told_when_to_ask_again_until_one_joins(
    broker: Start, join: Join_, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("octoverse.servers.broker._SETTLE_S", 0.0)
    front = broker()
    with pytest.raises(RemoteError, match=r"no worker is there .* Ask again in 1000 ms") as caught:
        Client(front.address, TABLETOP_ARM)
    assert caught.value.code == "overloaded"
    worker = join(front)
    client = Client(front.address, TABLETOP_ARM)
    worker.stop()
    with pytest.raises(RemoteError, match="no worker is there"):
        client.act(FRAME)
    join(front)
    assert client.act(FRAME).action
    assert client.restarts == 1
    client.close()


def test_a_worker_that_is_silent_is_given_up(broker: Start, dealer: Dealer) -> None:
    front = broker()
    fake = dealer(front.workers_at)
    fake.send_multipart(joining())
    with ThreadPoolExecutor(1) as pool:
        hello = pool.submit(Client, front.address, TABLETOP_ARM)
        fake.recv_multipart()  # its beat was heard
        _, _, header, _ = fake.recv_multipart()
        assert isinstance(wire.read_request(header), wire.Hello)
        with pytest.raises(RemoteError, match="The worker that held this robot is gone"):
            hello.result()  # after two seconds
    assert front.workers == {}


def test_a_worker_that_reads_nothing_stalls_nobody_else(
    broker: Start, join: Join_, dealer: Dealer, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("octoverse.servers.roster.SILENT_S", 60.0)
    front = broker()
    join(front)
    slow, session = dealer(front.workers_at, RCVHWM=1), "5" * 32
    slow.send_multipart(joining(session))
    until(lambda: len(front.workers) == 2)
    robot = dealer(front.address)
    with Client(front.address, TABLETOP_ARM) as client:
        flood = wire.encode(wire.Observe(session=session, request=1, observed_at_ns=0, act=False))
        told = 0
        while not told:
            robot.send_multipart([flood, bytes(2**20)])
            client.act(FRAME)
            told = robot.poll(0)
        fault = wire.read_reply(robot.recv_multipart()[0])
    assert isinstance(fault, wire.Fault)
    assert (fault.code, fault.retry_after_ms) == ("overloaded", 100)
    assert "the robot's worker is behind" in fault.message


def test_answers_to_who_is_gone_are_counted(
    broker: Start, join: Join_, servo: Any, until: Until
) -> None:
    front, policy = broker(), servo()
    join(front, policy)
    policy.hold.clear()
    client = Client(front.address, TABLETOP_ARM, timeout=0.5)
    with pytest.raises(ServerUnreachable):
        client.act(FRAME)
    client._line.close()  # without a Bye
    policy.hold.set()
    until(lambda: front.status().unsent == 1)


@pytest.mark.parametrize("frames", [[b"one"], [b"one", b"two", b"three"], [b"", b"", b"", b""]])
def test_other_numbers_of_frames_are_refused(
    broker: Start, dealer: Dealer, frames: list[bytes]
) -> None:
    front = broker()
    robot = dealer(front.address)
    robot.send_multipart(frames)
    fault = wire.read_reply(robot.recv_multipart()[0])
    assert isinstance(fault, wire.Fault)
    assert fault.message == f"message: expected 2 frames, got {len(frames)}."


def test_stopping_waits_for_what_is_under_way_and_tells_every_robot(
    broker: Start, join: Join_, dealer: Dealer, servo: Any, until: Until
) -> None:
    front, policy = broker(), servo()
    join(front, policy)
    policy.hold.clear()
    idle = dealer(front.address)
    idle.send_multipart([wire.encode(wire.Hello(protocol=1, embodiment=ROAD_CAR)), b""])
    assert isinstance(wire.read_reply(idle.recv_multipart()[0]), wire.Welcome)
    with Client(front.address, TABLETOP_ARM) as client, ThreadPoolExecutor(2) as pool:
        asked = pool.submit(client.act, FRAME)
        until(lambda: len(policy.batches) == 1)
        stopping = pool.submit(front.stop)
        until(lambda: front._board.closing)
        with pytest.raises(RemoteError, match="The server stops"):
            Client(front.address, TABLETOP_ARM)
        assert not stopping.done()
        policy.hold.set()
        assert asked.result().action
        stopping.result()
    closing = wire.read_reply(idle.recv_multipart()[0])
    assert closing == wire.Closing(reason="The server stops.")


def test_it_gives_up_waiting_when_it_stops(
    broker: Start, join: Join_, servo: Any, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("octoverse.servers.broker._FINISH_S", 0.1)
    front, policy = broker(), servo()
    join(front, policy)
    policy.hold.clear()
    with Client(front.address, TABLETOP_ARM, timeout=1.0) as client:
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(client.act, FRAME)
            until(lambda: len(policy.batches) == 1)
            front.stop()
            with pytest.raises(ServerUnreachable):
                asked.result()
    policy.hold.set()


@pytest.mark.parametrize("address", ["tcp://0.0.0.0:5555", "tcp://10.0.0.7:*"])
def test_other_machines_need_keys(address: str) -> None:
    with pytest.raises(ServerError, match=rf"or keys, got {re.escape(address)} without"):
        Broker(address, "tcp://127.0.0.1:0")


@pytest.mark.parametrize("which", ["address", "workers_at"])
def test_an_address_in_use_is_said_with_the_cure(broker: Start, which: str) -> None:
    taken = broker().address
    with pytest.raises(ServerError, match=f"{taken}: expected a free port, got: Address already"):
        broker(**{"workers_at": "tcp://127.0.0.1:0", which: taken})


def test_it_says_where_it_serves(broker: Start, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        front = broker()
    assert f"serving at {front.address} with the workers of ipc://" in caplog.text


def test_run_ends_when_a_socket_breaks(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    front = Broker("tcp://127.0.0.1:0", f"ipc://{tmp_path}/workers")

    def broken() -> None:
        raise OSError("out of sockets")

    front._follow = front._read = broken  # type: ignore[assignment]
    with pytest.raises(ServerError, match="The server's socket broke; the log says why"):
        front.run()
    assert "the broker's sockets broke" in caplog.text


def test_a_fault_in_the_broker_itself_costs_one_message(
    broker: Start, join: Join_, caplog: pytest.LogCaptureFixture
) -> None:
    front = broker()
    join(front)
    with Client(front.address, TABLETOP_ARM, timeout=0.5) as client:
        working = front._board._pong
        front._board._pong = None  # type: ignore[method-assign, assignment]
        with pytest.raises(Exception, match=r"within 0.5 s"):
            client.ping()
        front._board._pong = working  # type: ignore[method-assign]
        assert client.ping().sessions == 1
    assert "a message could not be handled" in caplog.text


def test_robots_need_keys_where_the_broker_asks_for_them(
    broker: Start, join: Join_, tmp_path: Path, until: Until
) -> None:
    with pytest.raises(ServerError, match=r"got tcp://0\.0\.0\.0:0 without keys"):
        Broker("tcp://0.0.0.0:0", f"ipc://{tmp_path}/other")
    for name in ("server", "arm", "car"):
        make_pair(name, tmp_path)
    known = {
        name: ClientKeys.load(tmp_path / f"{name}.key", tmp_path / "server.pub")
        for name in ("arm", "car")
    }
    for name in known:
        allow(tmp_path / "allowed.toml", read_public(tmp_path / f"{name}.pub"))
    curve = Curve.load(tmp_path / "server.key", tmp_path / "allowed.toml")
    front = broker(curve=curve)
    join(front)
    with (
        Client(front.address, TABLETOP_ARM, keys=known["arm"]) as arm,
        Client(front.address, TABLETOP_ARM, keys=known["car"], resume=arm.session) as thief,
    ):
        assert arm.act(FRAME).action
        assert thief.session != arm.session and not thief.welcome.resumed
        revoke(tmp_path / "allowed.toml", "arm")
        until(lambda: known["arm"].own.public not in curve.allowed)
        with pytest.raises(RemoteError, match="got one that was revoked") as caught:
            arm.act(FRAME)
        assert caught.value.code == "not_allowed"
        assert thief.act(FRAME).action
