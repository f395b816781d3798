"""Random but valid observations and actions of any body, made from its spec alone."""

from typing import Any

import numpy as np

from octoverse.embodiment import (
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
    stream_shape,
)

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
