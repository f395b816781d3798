"""Policies that really compute, in numpy, and servers of them.

Waits here only guard against hanging: none decides what a test finds, however busy the machine is.
"""

import socket as sockets
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import msgspec
import numpy as np
import pytest
import zmq

from octoverse.embodiment import Embodiment, PathGroup
from octoverse.embodiments.road_car import ROAD_CAR
from octoverse.embodiments.tabletop_arm import TABLETOP_ARM
from octoverse.episode import ActionChunk, Frame, Observation
from octoverse.servers.client import AsyncClient, Client
from octoverse.servers.conversation import Conversation
from octoverse.servers.histogram import seconds, sizes
from octoverse.servers.line import Line, Want
from octoverse.servers.status import RobotStatus, ServerStatus
from octoverse.servers.zeromq import Server
from octoverse.synthetic import random_frame
from octoverse.wire import Reply, encode
from tests.servers.survivors import Survivors

BODIES = {"tabletop_arm": TABLETOP_ARM, "road_car": ROAD_CAR}
HORIZON = 6
PATIENCE_S = 60.0


class Servo:
    """Acts on everything it is given: pixels, numbers, words, gaps, noise, memory."""

    model, statistics = "servo-1", "none"
    frames, spacing = 3, None
    bodies: Mapping[str, Embodiment] = BODIES

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.batches: list[list[str]] = []
        self.hold = threading.Event()
        self.hold.set()
        self.horizons = {
            name: {
                group: spec.steps if isinstance(spec, PathGroup) else HORIZON
                for group, spec in body.action.items()
            }
            for name, body in self.bodies.items()
        }
        self.camera_sizes = {
            name: {camera: (24, 32) for camera in body.cameras}
            for name, body in self.bodies.items()
        }

    def prepare(self, body: str, frame: Frame) -> Frame:
        cameras = self.bodies[body].cameras
        return {
            name: np.ascontiguousarray(value[::4, ::3]) if name in cameras else value
            for name, value in frame.items()
        }

    def act(
        self, observations: Sequence[Observation], memories: Sequence[dict[str, Any]]
    ) -> list[ActionChunk]:
        self.batches.append([o.embodiment for o in observations])
        self.hold.wait(PATIENCE_S)
        if self.seconds:
            time.sleep(self.seconds)
        return [self._one(o, m) for o, m in zip(observations, memories, strict=True)]

    def _one(self, seen: Observation, memory: dict[str, Any]) -> ActionChunk:
        memory["calls"] = memory.get("calls", 0) + 1
        words = memory["instruction"].setdefault("sum", sum(seen.streams["instruction"].encode()))
        arrays = [v for v in seen.streams.values() if not isinstance(v, str)]
        felt = sum(float(np.abs(v.astype(np.float64)).sum()) for v in arrays)
        felt += words + memory["calls"] + sum(float(v.sum()) for v in seen.valid.values())
        rng = np.random.default_rng([seen.seed, seen.step])
        body = self.bodies[seen.embodiment]
        action = {}
        for name, group in body.action.items():
            low, high = np.array(group.low), np.array(group.high)
            shape = (self.horizons[body.name][name], group.size)
            share = (np.sin(felt + rng.normal(size=shape)) + 1) / 2
            action[name] = (low + share * (high - low)).astype(np.float32)
        return ActionChunk(embodiment=body.name, action=action, observed_at_ns=seen.observed_at_ns)


@pytest.fixture(scope="session")
def servo() -> type[Servo]:
    return Servo


@pytest.fixture(scope="session")
def figures() -> ServerStatus:
    """What a server of one robot may say of itself."""
    robot = RobotStatus(
        number=1,
        body="tabletop_arm",
        client="arm 1",
        peer="",
        instruction="lift",
        requests=3,
        hz=10.0,
        latency_ms=20.0,
        missed=1,
        refused=0,
        silent_s=0.1,
        queued=0,
    )
    timings = {name: seconds() for name in ("total", "queued", "prepared", "inference")}
    return ServerStatus(
        model="servo-1",
        model_s=4.0,
        statistics="none",
        address="tcp://127.0.0.1:5555",
        uptime_s=5.0,
        healthy=True,
        trouble="",
        bodies=("tabletop_arm", "road_car"),
        robots=(robot,),
        window_bytes=1000,
        queue=1,
        requests=3,
        answered=2,
        batches=1,
        mean_batch=2.0,
        inference_ms=15.0,
        load=0.5,
        faults={"stale": 1},
        unsent=0,
        connections=1,
        cut=0,
        reloads=0,
        reload_failures=0,
        hung=0,
        timings={**timings, "batch": sizes()},
    )


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients that are not told otherwise wait as long as a busy machine may take."""
    for client in (Client, AsyncClient):
        told = client.__init__.__kwdefaults__ or {}
        monkeypatch.setattr(client.__init__, "__kwdefaults__", told | {"timeout": PATIENCE_S})


class Puppet:
    """A server's socket that does what the test says."""

    def __init__(self, address: str = "tcp://127.0.0.1:*", **options: Any) -> None:
        self.context = zmq.Context()
        self.socket: zmq.Socket[bytes] = self.context.socket(zmq.ROUTER)
        self.socket.setsockopt(zmq.RCVTIMEO, round(1000 * PATIENCE_S))
        for name, value in options.items():
            self.socket.setsockopt(getattr(zmq, name), value)
        self.socket.bind(address)
        self.address = self.socket.getsockopt_string(zmq.LAST_ENDPOINT)

    def hear(self) -> list[bytes]:
        self.route, *frames = self.socket.recv_multipart()
        return frames

    def say(self, *frames: bytes | Reply) -> None:
        sent = [frame if isinstance(frame, bytes) else encode(frame) for frame in frames]
        self.socket.send_multipart([self.route, *sent])

    def die(self, linger: int = 0) -> None:
        self.context.destroy(linger=linger)


@pytest.fixture
def puppet() -> Iterator[Callable[..., Puppet]]:
    """Starts puppets that are gone when the test ends; one of another's address replaces it."""
    puppets: list[Puppet] = []

    def start(address: str = "tcp://127.0.0.1:*", **options: Any) -> Puppet:
        puppets.append(Puppet(address, **options))
        return puppets[-1]

    yield start
    for one in puppets:
        one.die()


class Hose:
    """Passes bytes on to a server; can be cut, and pinched so that both ends notice nothing."""

    def __init__(self, address: str) -> None:
        host, port = address.removeprefix("tcp://").split(":")
        self._there = (host, int(port))
        self._socket = sockets.create_server(("127.0.0.1", 0))
        self.address = f"tcp://127.0.0.1:{self._socket.getsockname()[1]}"
        self.pinched, self._closed = threading.Event(), False
        self._ends: list[sockets.socket] = []
        self._threads = [threading.Thread(target=self._take)]
        self._threads[0].start()

    def cut(self) -> None:
        """Cut what is connected; what comes later is passed on."""
        while self._ends:
            with suppress(OSError):
                self._ends.pop().shutdown(sockets.SHUT_RDWR)

    def close(self) -> None:
        self._closed = True
        sockets.create_connection(self._socket.getsockname()).close()
        self._threads[0].join()
        self.cut()
        for thread in self._threads:
            thread.join()
        self._socket.close()

    def _take(self) -> None:
        while True:
            near, _ = self._socket.accept()
            if self._closed:
                near.close()
                return
            far = sockets.create_connection(self._there)
            self._ends += [near, far]
            for one, other in ((near, far), (far, near)):
                self._threads.append(threading.Thread(target=self._pass, args=(one, other)))
                self._threads[-1].start()

    def _pass(self, one: sockets.socket, other: sockets.socket) -> None:
        with suppress(OSError), one:
            while data := one.recv(2**20):
                if not self.pinched.is_set():
                    other.sendall(data)
        with suppress(OSError):
            other.shutdown(sockets.SHUT_RDWR)


@pytest.fixture
def hose() -> Iterator[Callable[[str], Hose]]:
    """Lays hoses to servers, closed when the test ends."""
    hoses: list[Hose] = []

    def lay(address: str) -> Hose:
        hoses.append(Hose(address))
        return hoses[-1]

    yield lay
    for one in hoses:
        one.close()


@pytest.fixture
def open_line() -> Iterator[Callable[..., Line]]:
    """Opens lines that are closed when the test ends."""
    opened: list[Line] = []

    def start(address: str, timeout: float = 60.0, **settings: Any) -> Line:
        opened.append(Line(address, timeout, Conversation(TABLETOP_ARM).read, **settings))
        return opened[-1]

    yield start
    for line in opened:
        line.close()


@pytest.fixture(scope="session")
def reach() -> Callable[[Line], None]:
    """Waits until a line is connected."""

    def wait(line: Line) -> None:
        for want, _ in line._connect(time.monotonic() + PATIENCE_S):
            if want is Want.CONNECTION:
                assert line.sockets[1].poll(round(1000 * PATIENCE_S))

    return wait


@pytest.fixture(scope="session")
def until() -> Callable[[Callable[[], bool]], None]:
    """Waits for what other threads do."""

    def wait(condition: Callable[[], bool]) -> None:
        give_up = time.monotonic() + PATIENCE_S
        while not condition() and time.monotonic() < give_up:
            time.sleep(0.001)
        assert condition()

    return wait


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """Starts servers that are stopped when the test ends."""
    servers: list[Server] = []

    def start(policy: Any, **settings: Any) -> Server:
        server = Server(policy, **{"address": "tcp://127.0.0.1:0", **settings})
        servers.append(server)
        return server.start()

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def drive() -> Callable[..., list[ActionChunk]]:
    """Plays an episode with a RobotPolicy: random frames, some of them missing or not acted on."""

    def play(robot: Any, seed: int, steps: int = 12) -> list[ActionChunk]:
        rng = np.random.default_rng(seed)
        robot.reset(seed=seed)
        chunks = []
        for i in range(steps):
            frame = random_frame(robot.body, rng)
            if i > steps // 2:
                frame["instruction"] = "stop"
            at_ns = round((i + 1) * 1e9 / robot.body.control_hz)
            if i % 5 == 3:
                continue
            if i % 5 == 1:
                robot.observe(frame, observed_at_ns=at_ns)
            else:
                chunks.append(robot.act(frame, observed_at_ns=at_ns))
        return chunks

    return play


@pytest.fixture
def other_arm() -> Embodiment:
    """An arm whose spec differs in meaning from the one that policies know."""
    return msgspec.structs.replace(TABLETOP_ARM, control_hz=20.0)


@pytest.fixture
def survivors() -> Iterator[Survivors]:
    """Starts servers, each of which has to answer a good client when the test ends."""
    with Survivors() as survivors:
        yield survivors
