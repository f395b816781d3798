"""Who answers in benchmarks/serving.py: our server, bare sockets, and the protocols of two peers.

The peers' servers are what theirs are at heart: a websocket that takes one msgpack message after
another and computes in its loop (openpi), and a REP socket that does so for one client after
another (GR00T). Their clients pack and unpack as theirs do.
"""

import asyncio
import io
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import websockets.asyncio.server
import websockets.sync.client
import zmq

from octoverse.embodiment import Camera, Embodiment, Instruction, JointPosition, SafeStop, State
from octoverse.episode import ActionChunk, Frame, Observation
from octoverse.servers.allow_list import allow
from octoverse.servers.client import Client
from octoverse.servers.curve import Curve
from octoverse.servers.keys import ClientKeys, make_pair, read_pair, read_public
from octoverse.servers.zeromq import Server

JOINTS, HORIZON, SIDE = 14, 50, 224
LOCAL = "tcp://127.0.0.1:0"
Ask = Callable[[], object]

_NAMES, _UNITS = tuple(f"joint_{i}" for i in range(JOINTS)), ("rad",) * JOINTS
_LOW, _HIGH = (-3.2,) * JOINTS, (3.2,) * JOINTS
BODY = Embodiment(
    name="two_arms",
    control_hz=50.0,
    observation={
        "front": Camera(height=SIDE, width=SIDE, role="front"),
        "wrist": Camera(height=SIDE, width=SIDE, role="wrist"),
        "joints": State(names=_NAMES, units=_UNITS, low=_LOW, high=_HIGH),
        "instruction": Instruction(),
    },
    action={"joints": JointPosition(names=_NAMES, units=_UNITS, low=_LOW, high=_HIGH)},
    safe_stop=SafeStop(kind="hold"),
)


def frame() -> dict[str, Any]:
    """Make one observation of the body."""
    generator = np.random.default_rng(0)
    image = generator.integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    return {
        "front": image,
        "wrist": image[::-1].copy(),
        "joints": np.zeros(JOINTS, np.float32),
        "instruction": "fold the towel and put it into the basket",
    }


class Instant:
    """A policy that answers zeros, after `seconds` for a whole batch."""

    model, statistics = "instant", "none"
    frames, spacing = 1, None
    bodies: Mapping[str, Embodiment] = {BODY.name: BODY}
    horizons: Mapping[str, Mapping[str, int]] = {BODY.name: {"joints": HORIZON}}
    camera_sizes: Mapping[str, Mapping[str, tuple[int, int]]] = {}

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.zeros = np.zeros((HORIZON, JOINTS), np.float32)

    def prepare(self, body: str, frame: Frame) -> Frame:
        """Leave the frame as it is."""
        return frame

    def act(
        self, observations: Sequence[Observation], memories: Sequence[dict[str, Any]]
    ) -> list[ActionChunk]:
        """Answer zeros."""
        if self.seconds:
            time.sleep(self.seconds)
        return [
            ActionChunk(
                embodiment=o.embodiment,
                action={"joints": self.zeros},
                observed_at_ns=o.observed_at_ns,
            )
            for o in observations
        ]


def serve_ours(address: "Queue[str]", seconds: float) -> None:
    """Serve with octoverse."""
    with Server(Instant(seconds), address=LOCAL) as server:
        address.put(server.address)
        threading.Event().wait()


@contextmanager
def ask_ours(address: str) -> Iterator[Ask]:
    """Ask as a robot does."""
    seen = frame()
    with Client(address, BODY, timeout=30.0) as client:
        yield lambda: client.act(seen)


def serve_bare(address: "Queue[str]", seconds: float) -> None:
    """Answer as many bytes, with nothing around the sockets."""
    socket: zmq.Socket[bytes] = zmq.Context().socket(zmq.ROUTER)
    answer_bare(socket, address, seconds)


def answer_bare(socket: "zmq.Socket[bytes]", address: "Queue[str]", seconds: float) -> None:
    """Bind, and answer for ever."""
    socket.bind("tcp://127.0.0.1:*")
    address.put(socket.getsockopt_string(zmq.LAST_ENDPOINT))
    chunk = np.zeros((HORIZON, JOINTS), np.float32)
    while True:
        route, header, _ = socket.recv(), socket.recv(), socket.recv(copy=False)
        if seconds:
            time.sleep(seconds)
        socket.send(route, zmq.SNDMORE)
        socket.send(header, zmq.SNDMORE)
        socket.send(chunk.data)


@contextmanager
def ask_bare(address: str) -> Iterator[Ask]:
    """Send the same bytes again and again."""
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.setsockopt(zmq.LINGER, 0)
        yield bare_asker(socket, address)


def bare_asker(socket: "zmq.Socket[bytes]", address: str) -> Ask:
    """Connect, and make what sends one request and waits for its answer."""
    socket.connect(address)
    header, body = bytes(400), np.zeros(2 * SIDE * SIDE * 3 + 4 * JOINTS, np.uint8)

    def ask() -> None:
        socket.send(header, zmq.SNDMORE)
        socket.send(body.data, copy=False)
        socket.recv(), socket.recv()

    return ask


def _keys() -> tuple[str, Curve]:
    """Make keys for a server and one robot, in a folder of their own."""
    folder = Path(tempfile.mkdtemp(prefix="keys-"))
    secret, _ = make_pair("server", folder)
    _, public = make_pair("robot", folder)
    allow(folder / "allowed.toml", read_public(public))
    return str(folder), Curve.load(secret, folder / "allowed.toml")


def _robot_keys(folder: str) -> ClientKeys:
    return ClientKeys.load(f"{folder}/robot.key", f"{folder}/server.pub")


class _Beside:
    """Tells an address with the folder of its keys beside it."""

    def __init__(self, address: "Queue[str]", folder: str) -> None:
        self._address, self._folder = address, folder

    def put(self, address: str) -> None:
        self._address.put(f"{address} {self._folder}")


def serve_ours_with_keys(address: "Queue[str]", seconds: float) -> None:
    """Serve with octoverse, encrypted."""
    folder, curve = _keys()
    with Server(Instant(seconds), address=LOCAL, curve=curve) as server:
        address.put(f"{server.address} {folder}")
        threading.Event().wait()


@contextmanager
def ask_ours_with_keys(place: str) -> Iterator[Ask]:
    """Ask as a robot with keys does."""
    address, folder = place.split()
    seen = frame()
    with Client(address, BODY, timeout=30.0, keys=_robot_keys(folder)) as client:
        yield lambda: client.act(seen)


def serve_bare_with_keys(address: "Queue[str]", seconds: float) -> None:
    """Answer as many bytes, encrypted."""
    folder, _ = _keys()
    own = read_pair(Path(folder) / "server.key")
    socket: zmq.Socket[bytes] = zmq.Context().socket(zmq.ROUTER)
    socket.curve_server, socket.curve_secretkey = True, own.secret.encode()
    answer_bare(socket, _Beside(address, folder), seconds)  # type: ignore[arg-type]


@contextmanager
def ask_bare_with_keys(place: str) -> Iterator[Ask]:
    """Send the same bytes again and again, encrypted."""
    address, folder = place.split()
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.setsockopt(zmq.LINGER, 0)
        _robot_keys(folder).secure(socket)
        yield bare_asker(socket, address)


def _array_out(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return {
            b"__ndarray__": True,
            b"data": value.tobytes(),
            b"dtype": value.dtype.str,
            b"shape": value.shape,
        }
    return value


def _array_in(value: dict[Any, Any]) -> Any:
    if b"__ndarray__" in value:
        return np.ndarray(value[b"shape"], np.dtype(value[b"dtype"]), value[b"data"])
    return value


def serve_websocket(address: "Queue[str]", seconds: float) -> None:
    """Serve as openpi does: the policy runs in the loop that reads."""
    policy = Instant(seconds)

    async def handle(socket: websockets.asyncio.server.ServerConnection) -> None:
        packer = msgpack.Packer(default=_array_out)
        await socket.send(packer.pack({"model": policy.model}))
        async for message in socket:
            msgpack.unpackb(message, object_hook=_array_in)
            if seconds:
                time.sleep(seconds)
            await socket.send(packer.pack({"actions": policy.zeros}))

    async def run() -> None:
        serving = websockets.asyncio.server.serve(
            handle, "127.0.0.1", 0, compression=None, max_size=None
        )
        async with serving as server:
            port = next(iter(server.sockets)).getsockname()[1]
            address.put(f"ws://127.0.0.1:{port}")
            await server.serve_forever()

    asyncio.run(run())


@contextmanager
def ask_websocket(address: str) -> Iterator[Ask]:
    """Ask as openpi's client does."""
    seen, packer = frame(), msgpack.Packer(default=_array_out)
    with websockets.sync.client.connect(address, compression=None, max_size=None) as socket:
        socket.recv()

        def ask() -> object:
            socket.send(packer.pack(seen))
            return msgpack.unpackb(socket.recv(), object_hook=_array_in)

        yield ask


def _saved_out(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        kept = io.BytesIO()
        np.save(kept, value, allow_pickle=False)
        return {"__ndarray_class__": True, "as_npy": kept.getvalue()}
    return value


def _saved_in(value: dict[Any, Any]) -> Any:
    if "__ndarray_class__" in value:
        return np.load(io.BytesIO(value["as_npy"]), allow_pickle=False)
    return value


def serve_request_reply(address: "Queue[str]", seconds: float) -> None:
    """Serve as GR00T does: a REP socket, one request after another."""
    policy = Instant(seconds)
    socket: zmq.Socket[bytes] = zmq.Context().socket(zmq.REP)
    socket.bind("tcp://127.0.0.1:*")
    address.put(socket.getsockopt_string(zmq.LAST_ENDPOINT))
    while True:
        msgpack.unpackb(socket.recv(), object_hook=_saved_in)
        if seconds:
            time.sleep(seconds)
        answer = [{"joints": policy.zeros[None]}, {}]
        socket.send(msgpack.packb(answer, default=_saved_out))


@contextmanager
def ask_request_reply(address: str) -> Iterator[Ask]:
    """Ask as GR00T's client does."""
    seen = frame()
    observation = {
        "video": {name: seen[name][None, None] for name in ("front", "wrist")},
        "state": {"joints": seen["joints"][None, None]},
        "language": {"task": [[seen["instruction"]]]},
    }
    request = {"endpoint": "get_action", "data": {"observation": observation, "options": None}}
    with zmq.Context() as context, context.socket(zmq.REQ) as socket:
        socket.setsockopt(zmq.LINGER, 0)
        socket.connect(address)

        def ask() -> object:
            socket.send(msgpack.packb(request, default=_saved_out))
            return msgpack.unpackb(socket.recv(), object_hook=_saved_in)

        yield ask


@dataclass(frozen=True)
class Kind:
    """One way of asking and answering."""

    name: str
    serve: Callable[..., None]
    """Is given a queue for its address and the seconds that the policy takes."""
    ask: Callable[[str], Any]
    """Is given the address; a context with what asks once."""


OURS = Kind("octoverse", serve_ours, ask_ours)
BARE = Kind("bare sockets", serve_bare, ask_bare)
OURS_WITH_KEYS = Kind("octoverse, CURVE", serve_ours_with_keys, ask_ours_with_keys)
BARE_WITH_KEYS = Kind("bare sockets, CURVE", serve_bare_with_keys, ask_bare_with_keys)
WEBSOCKET = Kind("websocket (openpi)", serve_websocket, ask_websocket)
REQUEST_REPLY = Kind("REQ/REP (GR00T)", serve_request_reply, ask_request_reply)
