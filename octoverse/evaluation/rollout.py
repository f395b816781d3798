"""Play one episode of an environment with a robot's policy, by simulated time."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from octoverse.acting import RobotPolicy
from octoverse.embodiment import EgoHistory, Embodiment, Waypoints
from octoverse.episode import Action, ActionChunk, Frame
from octoverse.errors import OctoverseError
from octoverse.motion import average_displacement, constant_velocity
from octoverse.servers.player import ChunkPlayer
from octoverse.simulation.world import EnvironmentSpec

PREDICTED_SECONDS = 3.0
_PREDICTED_EVERY = 10
"""Control steps between two predictions that are compared with the expert's path."""


class Rollout(msgspec.Struct, frozen=True, kw_only=True):
    """What one episode came to."""

    environment: str
    seed: int
    instruction: str
    success: bool
    steps: int
    seconds: float
    """By the wall clock."""
    metrics: dict[str, float]
    """What the world measured at the last step."""
    executed: int
    """Most control steps that were played of one chunk."""
    latencies_ms: tuple[float, ...]
    """From asking for a chunk until it was there."""
    displacements: tuple[float, ...] = ()
    """Of a path: its mean distance [m] from the expert's over 3 s, at sampled steps."""
    displacements_straight: tuple[float, ...] = ()
    """The same of going straight on at constant velocity."""


@dataclass(frozen=True, kw_only=True)
class Moment:
    """One control step of an episode in progress, for those who watch it."""

    step: int
    frame: Frame
    action: Action | None
    """What is done about it; None at the end of the episode."""
    latency_ms: float | None
    """How long the chunk took, if one was asked for."""


def default_execute(body: Embodiment) -> int:
    """Control steps after which a new chunk is wanted: each for a path, every second otherwise."""
    return 1 if _path_of(body) else 2


def play(
    spec: EnvironmentSpec,
    world: Any,
    policy: RobotPolicy,
    seed: int,
    *,
    execute: int | None = None,
    watch: Callable[[Moment], None] | None = None,
) -> Rollout:
    """Play one episode to its end; local and served policies see and do the same.

    Args:
        spec: Which environment it is.
        world: What `spec.make()` gave.
        policy: A LocalPolicy, a Client of a server, or a baseline.
        seed: Of the environment and of the policy's noise.
        execute: After so many control steps a new chunk is asked for; `default_execute` if None.
        watch: Is called at every step, and once more when the episode has ended.

    Raises:
        OctoverseError: if the world never says whether it succeeded.
    """
    body, began, latencies = policy.body, time.monotonic(), []
    execute = default_execute(body) if execute is None else execute
    player, judge = ChunkPlayer(body, execute=execute), _Judge(body, world.unwrapped)
    seen, info = world.reset(seed=seed)
    policy.reset(seed=seed)
    instruction, ended = str(seen.get("instruction", "")), False
    step = asked_at = executed = 0
    while not ended:
        now_ns, latency_ms = round(step * 1e9 / body.control_hz), None
        if player.needs_chunk(now_ns):
            asked, asked_at = time.monotonic(), step
            chunk = policy.act(seen, observed_at_ns=now_ns)
            latency_ms = 1000 * (time.monotonic() - asked)
            latencies.append(latency_ms)
            player.add(chunk)
            if step % _PREDICTED_EVERY == 0:
                judge.compare(chunk, seen)
        else:
            policy.observe(seen, observed_at_ns=now_ns)
        action = player.action(now_ns, seen)
        assert action is not None
        if watch is not None:
            watch(Moment(step=step, frame=seen, action=action, latency_ms=latency_ms))
        seen, _, terminated, truncated, info = world.step(action)
        ended, step = terminated or truncated, step + 1
        executed = max(executed, step - asked_at)
    if watch is not None:
        watch(Moment(step=step, frame=seen, action=None, latency_ms=None))
    if "success" not in info:
        raise OctoverseError(
            f"'{spec.name}': expected info['success'] at the end of an episode, got "
            f"{', '.join(sorted(info)) or 'nothing'}. A world must say whether it succeeded."
        )
    return Rollout(
        environment=spec.name,
        seed=seed,
        instruction=instruction,
        success=bool(info["success"]),
        steps=step,
        seconds=time.monotonic() - began,
        metrics={k: float(v) for k, v in info.items() if k != "success" and _is_number(v)},
        executed=executed,
        latencies_ms=tuple(latencies),
        displacements=tuple(judge.predicted),
        displacements_straight=tuple(judge.straight),
    )


class _Judge:
    """Compares predicted paths with the path of an expert in the same place."""

    def __init__(self, body: Embodiment, world: Any) -> None:
        self.predicted: list[float] = []
        self.straight: list[float] = []
        self._path = _path_of(body) if hasattr(world, "expert_path") else None
        self._world = world
        self._history = next(
            ((n, s) for n, s in body.observation.items() if isinstance(s, EgoHistory)), None
        )

    def compare(self, chunk: ActionChunk, seen: Frame) -> None:
        if self._path is None or self._history is None:
            return
        (group, path), (name, history) = self._path, self._history
        truth = self._world.expert_path()
        straight = constant_velocity(seen[name], history.hz, path.steps, path.hz)
        for guess, errors in (
            (chunk.action[group], self.predicted),
            (straight, self.straight),
        ):
            errors.append(float(average_displacement(guess, truth, path.hz, PREDICTED_SECONDS)))


def _path_of(body: Embodiment) -> tuple[str, Waypoints] | None:
    return next(((n, g) for n, g in body.action.items() if isinstance(g, Waypoints)), None)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.integer | np.floating)
