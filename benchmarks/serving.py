"""What the policy server costs and stands, beside bare sockets and two peers' protocols.

    python benchmarks/serving.py [overhead curve many batching fairness idle soak]

An observation is two 224 x 224 images, 14 numbers and an instruction; the answer is 50 x 14
numbers. Servers and clients are processes of their own and are asked in turns, so that a busy
machine slows all of them; compare the ratios of one run.
"""

import itertools
import multiprocessing
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from typing import Any

import numpy as np
import psutil
from serving_peers import (
    BARE,
    BARE_WITH_KEYS,
    BODY,
    OURS,
    OURS_WITH_KEYS,
    REQUEST_REPLY,
    WEBSOCKET,
    Kind,
    frame,
)

from octoverse.errors import RemoteError, ServerUnreachable
from octoverse.servers.client import Client

TURNS, PER_TURN = 12, 300
_TICK_S = 0.01
"""How finely the system tells what a process has used of the processor."""
_SPAWN = multiprocessing.get_context("spawn")


@contextmanager
def started(kind: Kind, seconds: float = 0.0) -> Iterator[tuple[str, psutil.Process]]:
    """A server in a process of its own: its address, and the process."""
    address: Queue[str] = _SPAWN.Queue()
    process = _SPAWN.Process(target=kind.serve, args=(address, seconds), daemon=True)
    process.start()
    try:
        yield address.get(timeout=120), psutil.Process(process.pid)
    finally:
        process.terminate()
        process.join()


def timed(ask: Callable[[], Any], count: int) -> list[float]:
    """Ask so often, and give the milliseconds that each took."""
    taken = []
    for _ in range(count):
        began = time.perf_counter()
        ask()
        taken.append(1000 * (time.perf_counter() - began))
    return taken


def seconds_of(process: psutil.Process) -> float:
    """What a process has used of the processor [s]."""
    used = process.cpu_times()
    return float(used.user + used.system)


def overhead(kinds: Sequence[Kind] = (BARE, OURS, WEBSOCKET, REQUEST_REPLY)) -> str:
    """One client and a policy that returns at once: latency, and what the server computes."""
    with ExitStack() as stack:
        asks, processes = {}, {}
        for kind in kinds:
            address, processes[kind.name] = stack.enter_context(started(kind))
            asks[kind.name] = stack.enter_context(kind.ask(address))
        for ask in asks.values():
            timed(ask, 500)
        taken: dict[str, list[float]] = {name: [] for name in asks}
        used = dict.fromkeys(asks, 0.0)
        for _ in range(TURNS):
            for name, ask in asks.items():
                before = seconds_of(processes[name])
                taken[name] += timed(ask, PER_TURN)
                used[name] += seconds_of(processes[name]) - before
    rows = [
        f"{'one client, instant policy':<28}{'p50 ms':>8}{'p99 ms':>8}{'x':>6}{'CPU us':>8}{'x':>6}"
    ]
    floor, least = np.median(taken[kinds[0].name]), max(used[kinds[0].name], _TICK_S)
    for name, values in taken.items():
        p50, p99 = np.percentile(values, [50, 99])
        each = 1e6 * used[name] / (TURNS * PER_TURN)
        rows.append(
            f"{name:<28}{p50:>8.3f}{p99:>8.3f}{p50 / floor:>6.2f}{each:>8.0f}"
            f"{used[name] / least:>6.2f}"
        )
    return "\n".join(rows)


def curve() -> str:
    """The same with keys."""
    return overhead((BARE_WITH_KEYS, OURS_WITH_KEYS))


def work(
    kind: Kind, address: str, lasting: float, ready: "Barrier", results: "Queue[list[float]]"
) -> None:
    """Ask again and again in a process of its own."""
    with kind.ask(address) as ask:
        ask()
        ready.wait()
        until, taken = time.monotonic() + lasting, list[float]()
        while time.monotonic() < until:
            taken += timed(ask, 1)
        results.put(taken)


def crowd(kind: Kind, clients: int, seconds: float, lasting: float) -> list[list[float]]:
    """Milliseconds that each request of each of many clients took."""
    ready, results = _SPAWN.Barrier(clients), _SPAWN.Queue()
    with started(kind, seconds) as (address, _):
        workers = [
            _SPAWN.Process(target=work, args=(kind, address, lasting, ready, results))
            for _ in range(clients)
        ]
        for worker in workers:
            worker.start()
        found = [results.get(timeout=300 + lasting) for _ in workers]
        for worker in workers:
            worker.join()
    return found


def row(kind: Kind, found: list[list[float]], lasting: float, base: float) -> str:
    """Say what many clients got; `base` requests per second are 1."""
    rate, fair = sum(map(len, found)) / lasting, np.mean([len(one) for one in found])
    p50, p99 = np.percentile(np.concatenate(found), [50, 99])
    slowest = min(len(one) for one in found) / fair
    return (
        f"{kind.name:<28}{rate:>8.0f}{rate / (base or rate):>7.2f}{p50:>9.1f}{p99:>9.1f}"
        f"{slowest:>9.2f}"
    )


def compared(
    title: str, kinds: Sequence[Kind], clients: int, seconds: float, lasting: float, turns: int
) -> str:
    """Let many clients ask each kind of server, in turns."""
    found: dict[str, list[list[list[float]]]] = {kind.name: [] for kind in kinds}
    for _ in range(turns):
        for kind in kinds:
            found[kind.name].append(crowd(kind, clients, seconds, lasting))
    merged = {
        name: [[*itertools.chain(*parts)] for parts in zip(*runs, strict=True)]
        for name, runs in found.items()
    }
    base = sum(map(len, merged[kinds[0].name])) / (turns * lasting)
    head = f"{title:<28}{'req/s':>8}{'x':>7}{'p50 ms':>9}{'p99 ms':>9}{'slowest':>9}"
    return "\n".join([head, *(row(k, merged[k.name], turns * lasting, base) for k in kinds)])


def many() -> str:
    """32 clients and a policy that returns at once."""
    kinds = (WEBSOCKET, REQUEST_REPLY, OURS, BARE)
    return compared("32 clients, instant policy", kinds, 32, 0.0, 4.0, 3)


def batching() -> str:
    """A policy that takes 20 ms, however many robots are in it."""
    kinds = (WEBSOCKET, REQUEST_REPLY, OURS)
    return compared("8 clients, policy of 20 ms", kinds, 8, 0.02, 5.0, 2)


def fairness() -> str:
    """64 clients and a policy that takes 20 ms."""
    return compared("64 clients, policy of 20 ms", (OURS,), 64, 0.02, 10.0, 1)


def be_silent(address: str, sessions: int, ready: "Barrier", over: "Barrier") -> None:
    """Act once with so many robots, and stay connected, in a process of its own."""
    seen = frame()
    with ExitStack() as stack:
        for _ in range(sessions):
            stack.enter_context(Client(address, BODY, timeout=30.0)).act(seen)
        ready.wait()
        over.wait()


def idle(sessions: int = 1000) -> str:
    """What robots cost that are connected and silent."""
    seen, ready, over = frame(), _SPAWN.Barrier(2), _SPAWN.Barrier(2)
    with started(OURS) as (address, process), Client(address, BODY, timeout=30.0) as busy:
        timed(lambda: busy.act(seen), 500)
        before, alone = process.memory_info().rss, timed(lambda: busy.act(seen), 4000)
        silent = _SPAWN.Process(target=be_silent, args=(address, sessions, ready, over))
        silent.start()
        ready.wait()
        after, among = process.memory_info().rss, timed(lambda: busy.act(seen), 4000)
        over.wait()
        silent.join()
    window = sum(value.nbytes for value in seen.values() if isinstance(value, np.ndarray))
    grown = (after - before - sessions * window) / 2**20
    return (
        f"{sessions} idle sessions: {grown:.0f} MiB beyond their windows "
        f"({sessions * window / 2**20:.0f} MiB); p50 {np.median(alone):.3f} ms alone, "
        f"{np.median(among):.3f} ms among them"
    )


def wander(address: str, seed: int, lasting: float, counts: "Queue[Counter[str]]") -> None:
    """Act, observe, reset and come back as a robot does all day; count what became of it."""
    rng, seen, told = np.random.default_rng(seed), frame(), Counter[str]()
    until = time.monotonic() + lasting
    while time.monotonic() < until:
        with Client(address, BODY, timeout=10.0) as client:
            told["hello"] += 1
            for _ in range(rng.integers(1, 2000)):
                if time.monotonic() > until:
                    break
                match rng.choice(("act", "observe", "reset"), p=(0.96, 0.03, 0.01)):
                    case "observe":
                        client.observe(seen)
                    case "reset":
                        client.reset()
                    case _:
                        told["asked"] += 1
                        try:
                            client.act(seen)
                            told["answered"] += 1
                        except RemoteError as error:
                            told[error.code] += 1
                        except ServerUnreachable:
                            told["lost"] += 1
    counts.put(told)


def soak(minutes: float = 10.0, clients: int = 8) -> str:
    """Full load for long: what became of every request, and of the server's memory."""
    lasting, counts = 60 * minutes, _SPAWN.Queue()
    with started(OURS) as (address, process):
        robots = [
            _SPAWN.Process(target=wander, args=(address, seed, lasting, counts))
            for seed in range(clients)
        ]
        for robot in robots:
            robot.start()
        began, times, sizes = time.monotonic(), list[float](), list[float]()
        while (now := time.monotonic() - began) < lasting:
            times.append(now / 60)
            sizes.append(process.memory_info().rss / 2**20)
            time.sleep(min(1.0, lasting / 40))
        told = sum((counts.get(timeout=120) for _ in robots), Counter[str]())
        for robot in robots:
            robot.join()
    settled = len(times) // 4
    slope = np.polyfit(times[settled:], sizes[settled:], 1)[0]
    return (
        f"{minutes:g} minutes, {clients} clients: {dict(told)}, {told['asked'] / lasting:.0f} "
        f"requests/s; memory {sizes[settled]:.0f} MiB after a quarter, {sizes[-1]:.0f} at the end, "
        f"{slope:+.3f} MiB a minute"
    )


PARTS: dict[str, Callable[[], str]] = {
    "overhead": overhead,
    "curve": curve,
    "many": many,
    "batching": batching,
    "fairness": fairness,
    "idle": idle,
    "soak": soak,
}

if __name__ == "__main__":
    import yardstick

    print(yardstick.report(), flush=True)
    for name in sys.argv[1:] or PARTS:
        print("", PARTS[name](), sep="\n", flush=True)
