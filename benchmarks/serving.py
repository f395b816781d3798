"""What the server costs: a policy that returns at once, against bare sockets moving the same bytes.

    python benchmarks/serving.py

An observation is two 224 x 224 images, 14 numbers and an instruction; the answer is 50 x 14
numbers. Both servers are processes of their own and are asked in turns, so that a busy machine
slows both; compare the ratio.
"""

import multiprocessing
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from typing import Any

import numpy as np
import zmq

from octoverse.embodiment import (
    Camera,
    Embodiment,
    Instruction,
    JointPosition,
    SafeStop,
    State,
)
from octoverse.episode import ActionChunk, Frame, Observation
from octoverse.servers.client import Client
from octoverse.servers.zeromq import Server

JOINTS, HORIZON, SIDE = 14, 50, 224
TURNS, PER_TURN = 30, 60

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


class Instant:
    """A policy that answers zeros, after `seconds` for a whole batch."""

    model, statistics = "instant", "none"
    frames, spacing = 1, None
    bodies: Mapping[str, Embodiment] = {BODY.name: BODY}
    horizons: Mapping[str, Mapping[str, int]] = {BODY.name: {"joints": HORIZON}}
    camera_sizes: Mapping[str, Mapping[str, tuple[int, int]]] = {}

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds

    def prepare(self, body: str, frame: Frame) -> Frame:
        """Leave the frame as it is."""
        return frame

    def act(
        self, observations: Sequence[Observation], memories: Sequence[dict[str, Any]]
    ) -> list[ActionChunk]:
        """Answer zeros."""
        if self.seconds:
            time.sleep(self.seconds)
        zeros = np.zeros((HORIZON, JOINTS), np.float32)
        return [
            ActionChunk(
                embodiment=o.embodiment,
                action={"joints": zeros},
                observed_at_ns=o.observed_at_ns,
            )
            for o in observations
        ]


def serve(address: "Queue[str]", seconds: float) -> None:
    """Serve in a process of its own."""
    with Server(Instant(seconds), address="tcp://127.0.0.1:0") as server:
        address.put(server.address)
        threading.Event().wait()


def serve_bare(address: "Queue[str]") -> None:
    """Answer as many bytes in a process of its own, with nothing around the sockets."""
    socket: zmq.Socket[bytes] = zmq.Context().socket(zmq.ROUTER)
    socket.bind("tcp://127.0.0.1:*")
    address.put(socket.getsockopt_string(zmq.LAST_ENDPOINT))
    chunk = np.zeros((HORIZON, JOINTS), np.float32)
    while True:
        route, header, _ = socket.recv(), socket.recv(), socket.recv(copy=False)
        socket.send(route, zmq.SNDMORE)
        socket.send(header, zmq.SNDMORE)
        socket.send(chunk.data)


def started(target: Callable[..., None], *arguments: Any) -> str:
    """Start a server process that ends with this one, and give its address."""
    context = multiprocessing.get_context("spawn")
    address: Queue[str] = context.Queue()
    context.Process(target=target, args=(address, *arguments), daemon=True).start()
    return address.get(timeout=120)


def bare_asker(socket: "zmq.Socket[bytes]") -> Callable[[], None]:
    """Make what sends one request to the bare server and waits for the answer."""
    header = bytes(400)
    body = np.zeros(2 * SIDE * SIDE * 3 + 4 * JOINTS, np.uint8)

    def ask() -> None:
        socket.send(header, zmq.SNDMORE)
        socket.send(body.data, copy=False)
        socket.recv(), socket.recv()

    return ask


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


def timed(ask: Callable[[], Any], count: int) -> list[float]:
    """Ask so often, and give the milliseconds that each took."""
    taken = []
    for _ in range(count):
        began = time.perf_counter()
        ask()
        taken.append(1000 * (time.perf_counter() - began))
    return taken


def one_client() -> str:
    """Compare one client with the bare pair, in turns."""
    seen = frame()
    bare: zmq.Socket[bytes]
    with (
        zmq.Context() as context,
        context.socket(zmq.DEALER) as bare,
        Client(started(serve, 0.0), BODY, timeout=10.0) as client,
    ):
        bare.connect(started(serve_bare))
        asks: dict[str, Callable[[], object]] = {
            "bare sockets": bare_asker(bare),
            "octoverse": lambda: client.act(seen),
            "octoverse, ping": client.ping,
        }
        for ask in asks.values():
            timed(ask, 300)
        taken: dict[str, list[float]] = {name: [] for name in asks}
        for _ in range(TURNS):
            for name, ask in asks.items():
                taken[name] += timed(ask, PER_TURN)
        timing = client.last_timing
    floor = np.median(taken["bare sockets"])
    rows = [f"{'one client, instant policy':<28}{'p50 ms':>8}{'p99 ms':>8}{'x bare':>8}"]
    for name, values in taken.items():
        p50, p99 = np.percentile(values, [50, 99])
        rows.append(f"{name:<28}{p50:>8.3f}{p99:>8.3f}{p50 / floor:>8.2f}")
    return "\n".join([*rows, f"the last: {timing}"])


def work(
    address: str, lasting: float, ready: "Barrier", results: "Queue[tuple[int, list[float]]]"
) -> None:
    """Ask again and again in a process of its own."""
    seen = frame()
    with Client(address, BODY, timeout=10.0) as client:
        client.act(seen)
        ready.wait()
        until = time.monotonic() + lasting
        taken = timed(lambda: client.act(seen), 1)
        while time.monotonic() < until:
            taken += timed(lambda: client.act(seen), 1)
        results.put((len(taken), taken))


def many_clients(clients: int, seconds: float, lasting: float = 3.0) -> str:
    """Measure requests per second of clients in processes of their own."""
    context = multiprocessing.get_context("spawn")
    address = started(serve, seconds)
    ready, results = context.Barrier(clients), context.Queue()
    workers = [
        context.Process(target=work, args=(address, lasting, ready, results))
        for _ in range(clients)
    ]
    for worker in workers:
        worker.start()
    found = [results.get(timeout=120 + lasting) for _ in workers]
    for worker in workers:
        worker.join()
    rate = sum(count for count, _ in found) / lasting
    p50, p99 = np.percentile(np.concatenate([taken for _, taken in found]), [50, 99])
    what = f"{clients} clients, policy of {1000 * seconds:.0f} ms"
    return f"{what:<28}{rate:>8.0f} requests/s, p50 {p50:.1f} ms, p99 {p99:.1f} ms"


if __name__ == "__main__":
    import yardstick

    print(yardstick.report(), one_client(), sep="\n\n")
    print(many_clients(8, 0.0), many_clients(8, 0.020), sep="\n")
