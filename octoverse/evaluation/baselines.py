"""Policies that need no training: chance, and the world's own expert.

They stand beside a result, so that a broken environment shows: an expert that fails, or chance
that succeeds, says more about the world than about the policy.
"""

import time
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from octoverse.acting import RobotPolicy
from octoverse.embodiment import ActionGroup, EgoHistory, Embodiment, Waypoints
from octoverse.episode import Action, ActionChunk, Frame
from octoverse.motion import relative, roll_out
from octoverse.synthetic import random_step

_ACCELERATION = 2.0
_CURVATURE = 0.1
"""Largest of a random path [m/s^2] and [1/m]: within what a car can do."""


class RandomPolicy:
    """Acts by chance: any number within its limits; a path of random turn and acceleration."""

    def __init__(self, body: Embodiment) -> None:
        self.body = body
        self.reset()

    def act(
        self,
        frame: Frame,
        *,
        observed_at_ns: int | None = None,
        **told: Any,
    ) -> ActionChunk:
        """Draw one action."""
        action = {name: self._draw(group, frame) for name, group in self.body.action.items()}
        return _chunk(self.body, action, observed_at_ns)

    def observe(self, frame: Frame, **told: Any) -> None:
        """Chance looks at nothing."""

    def reset(self, seed: int = 0) -> None:
        """Begin a new episode with a seed of its own."""
        self._random = np.random.default_rng(seed)

    def _draw(self, group: ActionGroup, frame: Frame) -> np.ndarray:
        if not isinstance(group, Waypoints):
            return random_step(group, self._random)
        turn = self._random.uniform(-_CURVATURE, _CURVATURE)
        faster = self._random.uniform(-_ACCELERATION, _ACCELERATION)
        acceleration, curvature = np.full(group.steps, faster), np.full(group.steps, turn)
        path, _ = roll_out(self._speed(frame), acceleration, curvature, 1 / group.hz)
        return path.astype(np.float32)

    def _speed(self, frame: Frame) -> np.ndarray:
        for name, stream in self.body.observation.items():
            if isinstance(stream, EgoHistory) and stream.steps > 1 and name in frame:
                last = relative(frame[name][-2], frame[name][-1])
                return np.asarray(np.hypot(last[0], last[1]) * stream.hz)
        return np.zeros(())


class ExpertPolicy:
    """Does what the world's scripted expert does; it sees the world's true state."""

    def __init__(self, body: Embodiment, world: Any) -> None:
        self.body, self._world = body, world

    def act(
        self,
        frame: Frame,
        *,
        observed_at_ns: int | None = None,
        **told: Any,
    ) -> ActionChunk:
        """Ask the expert for one action."""
        return _chunk(self.body, self._world.unwrapped.expert()(), observed_at_ns)

    def observe(self, frame: Frame, **told: Any) -> None:
        """It knows already."""

    def reset(self, seed: int = 0) -> None:
        """It has nothing to forget."""


def baseline(kind: Literal["expert", "random"], body: Embodiment, world: Any) -> RobotPolicy:
    """Make one by its name, for the episodes of one world."""
    return ExpertPolicy(body, world) if kind == "expert" else RandomPolicy(body)


def _chunk(body: Embodiment, action: Action, observed_at_ns: int | None) -> ActionChunk:
    """A chunk of one control step; a path is a chunk already."""
    rows: Mapping[str, np.ndarray] = {
        name: np.atleast_2d(np.asarray(value, np.float32)) for name, value in action.items()
    }
    at_ns = time.monotonic_ns() if observed_at_ns is None else observed_at_ns
    return ActionChunk(embodiment=body.name, action=rows, observed_at_ns=at_ns)
