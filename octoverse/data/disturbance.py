"""Push an expert off its way now and then, so that its recordings show how to recover.

What is recorded stays the expert's clean action; only what is executed is disturbed.
Source: Laskey et al., "DART: Noise Injection for Robust Imitation Learning", 2017.
"""

import numpy as np

from octoverse.embodiment import (
    ActionGroup,
    EndEffectorDelta,
    JointVelocity,
    Pedals,
    Twist,
)
from octoverse.episode import Action

DISTURBED = (EndEffectorDelta, JointVelocity, Twist, Pedals)
"""Groups whose numbers are rates or small steps: a push on them is small and passes."""
START = 0.15
"""Chance of a step to begin a burst."""
STEPS = (2, 6)
"""Shortest and longest burst, in control steps."""
MEMORY = 0.7
"""Correlation of the push from one step to the next."""


class Disturbance:
    """Bursts of correlated noise on the executed actions of one episode.

    Args:
        groups: The body's action groups; those that are not in DISTURBED are left alone.
        strength: Standard deviation of a push, as a share of each number's limits.
        rng: Decides everything; one call draws the same count of numbers whatever happens.
    """

    def __init__(
        self, groups: dict[str, ActionGroup], strength: float, rng: np.random.Generator
    ) -> None:
        self._groups = {k: g for k, g in groups.items() if isinstance(g, DISTURBED)}
        self._strength, self._rng = strength, rng
        self._left = 0
        self._push = {name: np.zeros(group.size) for name, group in self._groups.items()}

    def __call__(self, action: Action) -> dict[str, np.ndarray]:
        """The action to execute in place of this one, within the body's limits."""
        begins, length = self._rng.random() < START, int(self._rng.integers(*STEPS, endpoint=True))
        if self._left == 0 and begins:
            self._left = length
            self._push = {name: self._draw(name) for name in self._push}
        else:
            fresh = {name: self._draw(name) for name in self._push}
            spread = np.sqrt(1 - MEMORY**2)
            self._push = {k: MEMORY * old + spread * fresh[k] for k, old in self._push.items()}
        executed = dict(action)
        if self._left:
            self._left -= 1
            for name, group in self._groups.items():
                low, high = np.array(group.low), np.array(group.high)
                push = self._strength * (high - low) / 2 * self._push[name]
                executed[name] = np.clip(action[name] + push, low, high).astype(np.float32)
        return executed

    def _draw(self, name: str) -> np.ndarray:
        return self._rng.normal(size=self._groups[name].size)
