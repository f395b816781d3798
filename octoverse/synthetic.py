"""Random but valid observations and actions of any body, made from its spec alone."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from octoverse.embodiment import (
    AccelerationCurvature,
    ActionGroup,
    Camera,
    Command,
    EgoHistory,
    Embodiment,
    GoalImage,
    Instruction,
    PathGroup,
    Route,
    State,
    Stream,
    Waypoints,
    stream_shape,
)
from octoverse.episode import Episode

_WORDS = ("lift", "reach", "follow", "open", "the", "red", "blue", "cube", "lane", "door")
_SPEED = 5.0
"""How fast imagined drives are, in m/s."""


def random_frame(body: Embodiment, rng: np.random.Generator) -> dict[str, Any]:
    """Make one complete observation, optional streams included, that passes `check_frame`."""
    return {name: random_value(stream, rng) for name, stream in body.observation.items()}


def random_action(body: Embodiment, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Make one step of action within the limits; a path is drawn point by point."""
    return {name: random_step(group, rng) for name, group in body.action.items()}


def random_value(stream: Stream, rng: np.random.Generator) -> Any:
    """Make one value of one stream, shaped as `stream_shape` says."""
    match stream:
        case Camera() | GoalImage():
            return rng.integers(0, 256, stream_shape(stream), dtype=np.uint8)
        case State():
            return _within(stream, (stream.size,), rng)
        case EgoHistory():
            back = -np.arange(stream.steps - 1, -1, -1) * _SPEED / stream.hz
            return np.stack([back, np.zeros_like(back), np.zeros_like(back)], 1, dtype=np.float32)
        case Route():
            ahead = np.cumsum(rng.uniform(0, _SPEED, stream.points))
            return np.stack([ahead, rng.normal(0, 1, stream.points)], 1, dtype=np.float32)
        case Command():
            return np.int64(rng.integers(len(stream.names)))
        case Instruction():
            return " ".join(rng.choice(_WORDS, size=4))


def random_step(group: ActionGroup, rng: np.random.Generator) -> np.ndarray:
    """Make one action of one group, (a,), or (steps, a) for a path."""
    shape = (group.steps, group.size) if isinstance(group, PathGroup) else (group.size,)
    return _within(group, shape, rng)


def _within(
    numbers: State | ActionGroup, shape: tuple[int, ...], rng: np.random.Generator
) -> np.ndarray:
    # Rounding to float32 may step over a limit such as pi.
    low, high = np.array([numbers.low, numbers.high], dtype=np.float32)
    return np.clip(rng.uniform(low, high, shape).astype(np.float32), low, high)


def random_episode(body: Embodiment, steps: int, rng: np.random.Generator) -> Episode:
    """Make an episode that can be learned: frames at random, actions that go on smoothly.

    Control steps follow slow waves within the limits; paths are steady drives at the speed that
    the frame shows, where it shows one.
    """
    frames = [random_frame(body, rng) for _ in range(steps)]
    action = {}
    for name, group in body.action.items():
        if isinstance(group, PathGroup):
            paths = [_drive(group, _speed(body, frame), rng) for frame in frames]
            action[name] = np.stack(paths)
        else:
            action[name] = _waves(group, np.arange(steps) / body.control_hz, rng)
    return Episode(
        embodiment=body.name,
        source="synthetic",
        key=str(rng.integers(2**31)),
        times_ns=np.round(np.arange(steps) * (1e9 / body.control_hz)).astype(np.int64),
        observation={
            name: [frame[name] for frame in frames]
            if isinstance(stream, Instruction)
            else np.stack([frame[name] for frame in frames])
            for name, stream in body.observation.items()
        },
        action=action,
    )


def _waves(group: ActionGroup, time: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A sine for each number, of half its range and two to ten seconds long, (steps, a)."""
    low, high = np.array([group.low, group.high], dtype=np.float32)
    turns = np.outer(time, rng.uniform(0.1, 0.5, group.size)) + rng.uniform(0, 1, group.size)
    wave: np.ndarray = (low + high) / 2 + (high - low) / 4 * np.sin(2 * np.pi * turns)
    return np.clip(wave.astype(np.float32), low, high)


def _drive(
    group: Waypoints | AccelerationCurvature, speed: float, rng: np.random.Generator
) -> np.ndarray:
    """A path of steady acceleration and turning, (steps, a)."""
    push, turn = rng.normal(0, (0.5, 0.05))  # [m/s^2], [rad/s]
    time = np.arange(1, group.steps + 1) / group.hz
    if isinstance(group, AccelerationCurvature):
        rows = [np.full_like(time, push), np.full_like(time, turn / max(speed, 1.0))]
    else:
        x, heading = speed * time + push / 2 * time**2, turn * time
        rows = [x, x * heading / 2, heading]
    low, high = np.array([group.low, group.high], dtype=np.float32)
    return np.clip(np.stack(rows, 1).astype(np.float32), low, high)


def _speed(body: Embodiment, frame: Mapping[str, Any]) -> float:
    """What the frame shows, if it does, kept to what a car does [m/s]."""
    shown = isinstance(body.observation.get("speed"), State)
    return float(np.clip(frame["speed"][0], 0, 30)) if shown else _SPEED
