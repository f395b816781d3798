import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zmq

from octoverse.embodiments.tabletop_arm import TABLETOP_ARM
from octoverse.errors import ServerError
from octoverse.servers.allow_list import allow, revoke
from octoverse.servers.backstage import Backstage
from octoverse.servers.broker import Broker
from octoverse.servers.client import Client
from octoverse.servers.curve import Curve
from octoverse.servers.keys import ClientKeys, make_pair, read_public
from octoverse.servers.service import Service
from octoverse.servers.worker import Worker
from octoverse.synthetic import random_frame

Until = Callable[[Callable[[], bool]], None]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Keys of a broker, a worker that is let in, and a robot that is let in as a robot."""
    for name in ("broker", "worker", "robot"):
        make_pair(name, tmp_path)
    allow(tmp_path / "workers.toml", read_public(tmp_path / "worker.pub"))
    allow(tmp_path / "robots.toml", read_public(tmp_path / "robot.pub"))
    return tmp_path


@pytest.fixture
def broker(folder: Path) -> Iterator[Broker]:
    robots, workers = (
        Curve.load(folder / "broker.key", folder / f"{who}.toml") for who in ("robots", "workers")
    )
    addresses = "tcp://127.0.0.1:0", "tcp://127.0.0.1:0"
    with Broker(*addresses, curve=robots, workers_curve=workers) as one:
        yield one


def keys(folder: Path, name: str) -> ClientKeys:
    return ClientKeys.load(folder / f"{name}.key", folder / "broker.pub")


def test_a_worker_with_an_allowed_key_computes_for_robots_with_theirs(
    servo: Any, broker: Broker, folder: Path, until: Until
) -> None:
    with Worker(Service(servo()), broker.workers_at, keys=keys(folder, "worker")) as worker:
        until(lambda: worker.name in broker.workers)
        with Client(broker.address, TABLETOP_ARM, keys=keys(folder, "robot")) as client:
            frame = random_frame(TABLETOP_ARM, np.random.default_rng(0))
            assert client.act(frame).action
            [robot] = worker.service.robots
            assert robot.peer == read_public(folder / "robot.pub").key


@pytest.mark.parametrize("name", ["robot", None])
def test_nobody_else_works_for_the_broker(
    broker: Broker, folder: Path, until: Until, name: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.setsockopt(zmq.LINGER, 0)
        if name is not None:
            keys(folder, name).secure(socket)
        failed = zmq.EVENT_HANDSHAKE_FAILED_AUTH if name else zmq.EVENT_DISCONNECTED
        with socket.get_monitor_socket(failed) as events:
            socket.connect(broker.workers_at)
            assert events.poll(60_000)
            socket.disable_monitor()
    assert broker.workers == {}
    assert ("turned away" in caplog.text) == (name is not None)


def test_a_worker_whose_key_is_revoked_is_not_listened_to_any_more(
    servo: Any, broker: Broker, folder: Path, until: Until
) -> None:
    with Worker(Service(servo()), broker.workers_at, keys=keys(folder, "worker")) as worker:
        until(lambda: worker.name in broker.workers)
        revoke(folder / "workers.toml", "worker")
        until(lambda: worker.name not in broker.workers)


@pytest.mark.parametrize("address", ["tcp://0.0.0.0:5556", "tcp://10.0.0.7:*"])
def test_workers_of_other_machines_need_keys(address: str, folder: Path) -> None:
    with pytest.raises(ServerError, match=rf"or keys, got {re.escape(address)} without keys"):
        Backstage(address, 2**20)
    curve = Curve.load(folder / "broker.key", folder / "workers.toml")
    assert not Backstage(address, 2**20, curve).one_clock


@pytest.mark.parametrize("address", ["ipc:///x", "tcp://127.0.0.1:0", "tcp://localhost:0"])
def test_those_of_this_machine_have_its_clock(address: str) -> None:
    assert Backstage(address, 2**20).one_clock


def test_connections_that_have_ended_are_told(tmp_path: Path) -> None:
    backstage = Backstage(f"ipc://{tmp_path}/workers", 2**20)
    socket = backstage.open()
    socket.setsockopt(zmq.RCVTIMEO, 60_000)
    with zmq.Context() as context, context.socket(zmq.DEALER) as worker:
        worker.connect(backstage.address)
        worker.send(b"here")
        frame = socket.recv_multipart(copy=False)[1]
        assert backstage.lets_in(frame)
        assert list(backstage.ended()) == []
    assert backstage.ends.poll(60_000)
    assert list(backstage.ended()) == [frame.get(zmq.SRCFD)]
    backstage.close(0)


def test_an_address_in_use_is_said_with_the_cure() -> None:
    first = Backstage("tcp://127.0.0.1:0", 2**20)
    first.open()
    with pytest.raises(ServerError, match="expected a free port, got: Address already in use"):
        Backstage(first.address, 2**20).open()
    first.close(0)
