"""What every simulated world of ours offers beyond Gymnasium: a body, an expert, metrics."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import gymnasium

from octoverse import registry
from octoverse.embodiment import Embodiment
from octoverse.episode import Action

Expert = Callable[[], Action]
"""Looks at the world's true state and gives the next action, in the body's units."""


@runtime_checkable
class World(Protocol):
    """A Gymnasium environment whose observations and actions fit an Embodiment.

    `info` of every step holds "success" (bool) and the metrics that the world measures (float).
    `reset(seed=...)` decides everything random about the episode.
    """

    embodiment: Embodiment

    def expert(self) -> Expert:
        """A scripted expert for the episode in progress."""
        ...

    def view(self, height: int, width: int) -> Any:
        """A picture for people, uint8 (height, width, 3), from outside the body."""
        ...


@dataclass(frozen=True, kw_only=True)
class EnvironmentSpec:
    """One environment by name: its Gymnasium id, body, length and row in a report."""

    name: str
    gym_id: str
    embodiment: str
    max_steps: int
    row: str
    """Where its results stand in a report, such as arm/lift."""
    version: str = "0"

    @property
    def body(self) -> Embodiment:
        """The embodiment that its observations and actions fit."""
        body: Embodiment = registry.load("embodiment", self.embodiment)
        return body

    def make(self, **settings: Any) -> gymnasium.Env[Any, Any]:
        """Make the environment; one GL context per process serves all that are made in it."""
        import octoverse.simulation  # registers our ids

        assert octoverse.simulation
        return gymnasium.make(self.gym_id, max_episode_steps=self.max_steps, **settings)
