"""Record scripted experts in simulation, in parallel, as a LeRobot v3 data set."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from octoverse import registry
from octoverse.data import png
from octoverse.data.child import live_with_parent
from octoverse.data.disturbance import Disturbance
from octoverse.data.lerobot.writer import LeRobotWriter
from octoverse.episode import Episode
from octoverse.errors import BadConfig, BadData, OctoverseError
from octoverse.simulation.world import EnvironmentSpec

FIRST_SEED = 2**20
"""Recordings never use an environment seed below this one: those are for evaluation."""
DISTURBED_SHARE = 0.5
FLUSH_SECONDS = 20.0
"""A recording that is killed loses at most what it made in this time."""
_HOPELESS = 100
"""Attempts in a row without success after which recording gives up."""


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """What a recording came to."""

    folder: Path
    episodes: int
    """In the folder now."""
    steps: int
    """In the folder now."""
    new_steps: int
    attempts: int
    """Episodes tried this time, failed ones included."""
    seconds: float


def record(
    environment: str | EnvironmentSpec,
    folder: Path | str,
    episodes: int,
    *,
    seed: int = 0,
    noise: float = 0.4,
    processes: int = 2,
    only_success: bool = True,
    quiet: bool = False,
) -> Recorded:
    """Record until the folder holds so many episodes.

    The same seed gives the same episodes whatever the number of processes, and a recording that
    was stopped goes on as if it had not been.

    Args:
        environment: Name of an environment, or its spec.
        folder: Where the data set is or will be.
        episodes: How many it is to hold in the end.
        seed: Decides every episode.
        noise: How strongly half of the episodes are disturbed, as a share of the action's limits;
            a world that disturbs itself is told so in `reset(options=...)`.
        processes: Worker processes, each with one GL context.
        only_success: Leave out episodes in which the expert fails.
        quiet: Show no progress.

    Raises:
        BadData: if the folder holds another recording.
        OctoverseError: if a worker dies or the expert never succeeds.
    """
    spec: EnvironmentSpec = (
        registry.load("environment", environment) if isinstance(environment, str) else environment
    )
    if episodes < 1 or processes < 1 or noise < 0:
        raise BadConfig(
            "episodes and processes must be at least 1 and noise at least 0, got "
            f"{episodes}, {processes} and {noise}."
        )
    began, attempts, fruitless, flushed = time.monotonic(), 0, 0, time.monotonic()
    # What decides an episode is in its key, so that a recording can only go on as it began.
    stem = f"{spec.name}-{spec.version}-seed{seed}-noise{noise:g}{'' if only_success else '-all'}-"
    with LeRobotWriter(folder, spec.body) as writer, _bar(quiet) as progress:
        start, before = _next_attempt(writer, stem), writer.steps
        bar = progress.add_task(spec.name, total=episodes, completed=len(writer), steps="")
        if len(writer) < episodes:

            def lacking() -> int:
                return episodes - len(writer)

            for episode, success in _attempts(spec, seed, noise, processes, start, stem, lacking):
                attempts += 1
                if success or not only_success:
                    writer.add(episode)
                    fruitless = 0
                else:
                    fruitless += 1
                if fruitless >= _HOPELESS:
                    raise OctoverseError(
                        f"'{spec.name}': the expert failed {fruitless} times in a row. "
                        "Lower noise, or record with only_success off to look at what happens."
                    )
                now = time.monotonic()
                rate = (writer.steps - before) / (now - began)
                progress.update(bar, completed=len(writer), steps=f"{rate:.0f} steps/s")
                if now - flushed > FLUSH_SECONDS:
                    writer.flush()
                    flushed = now
                if len(writer) >= episodes:
                    break
        found = len(writer), writer.steps
    return Recorded(
        folder=Path(folder),
        episodes=found[0],
        steps=found[1],
        new_steps=found[1] - before,
        attempts=attempts,
        seconds=time.monotonic() - began,
    )


def _next_attempt(writer: LeRobotWriter, stem: str) -> int:
    if not writer.keys:
        return 0
    head, number = writer.keys[-1].removesuffix("-").rpartition("-")[::2]
    if f"{head}-" != stem or not number.isdigit():
        raise BadData(
            f"{writer.folder}: expected a recording '{stem}...', got '{writer.keys[-1]}'. "
            "Go on with the same environment, seed and noise, or record into another folder."
        )
    return int(number) + 1


def _attempts(
    spec: EnvironmentSpec,
    seed: int,
    noise: float,
    processes: int,
    start: int,
    stem: str,
    lacking: Callable[[], int],
) -> Iterator[tuple[Episode, bool]]:
    """Attempts in order, worked on ahead of time by all processes, never more than are lacking."""
    pool = ProcessPoolExecutor(
        processes,
        mp_context=get_context("spawn"),
        initializer=live_with_parent,
    )
    waiting: deque[Future[tuple[Episode, bool]]] = deque()
    try:
        while True:
            while len(waiting) < min(2 * processes, lacking()):
                waiting.append(pool.submit(_attempt, spec, seed, noise, start, stem))
                start += 1
            yield waiting.popleft().result()
    except BrokenProcessPool as error:
        raise OctoverseError(
            f"A process that recorded '{spec.name}' died. What is recorded so far is kept: run the "
            "same command again, with fewer processes if memory ran out."
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@cache
def _world(spec: EnvironmentSpec) -> Any:
    """In each worker: the one world that it records."""
    return spec.make(disable_env_checker=True)


def _attempt(
    spec: EnvironmentSpec, seed: int, noise: float, number: int, stem: str
) -> tuple[Episode, bool]:
    """In a worker: play one episode.

    Returns:
        The episode with its images as PNG, and whether the expert succeeded.
    """
    world, body = _world(spec), spec.body
    rng = np.random.default_rng((seed, number))
    world_seed = FIRST_SEED + int(rng.integers(2**30))
    disturbed = noise > 0 and rng.random() < DISTURBED_SHARE
    options = None
    if noise > 0 and hasattr(world.unwrapped, "disturbance"):
        options = {"offset": True, "disturbance": noise if disturbed else 0.0}
    disturb = Disturbance(body.action, noise if disturbed else 0.0, rng)
    seen, _ = world.reset(seed=world_seed, options=options)
    expert = world.unwrapped.expert()
    streams: dict[str, list[Any]] = {name: [] for name in seen}
    actions: dict[str, list[np.ndarray]] = {name: [] for name in body.action}
    ended, info = False, {"success": False}
    while not ended:
        label = expert()
        for name, value in seen.items():
            streams[name].append(png.encode(value) if name in body.cameras else value)
        for name, part in label.items():
            actions[name].append(np.asarray(part, np.float32))
        executed = disturb(label) if disturbed else label
        seen, _, terminated, truncated, info = world.step(executed)
        ended = terminated or truncated
    steps = len(next(iter(actions.values())))
    episode = Episode(
        embodiment=body.name,
        source=spec.name,
        key=f"{stem}{number}",
        times_ns=np.round(np.arange(steps) * (1e9 / body.control_hz)).astype(np.int64),
        observation={
            name: values if isinstance(values[0], str | bytes) else np.stack(values)
            for name, values in streams.items()
        },
        action={name: np.stack(values) for name, values in actions.items()},
    )
    return episode, bool(info["success"])


def _bar(quiet: bool) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("episodes, {task.fields[steps]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        disable=quiet,
    )
