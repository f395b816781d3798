"""What flows through the house: episodes, windows of observation, chunks of action."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from octoverse.embodiment import Embodiment, PathGroup

Frame = Mapping[str, Any]
"""One time step as the body sees it: stream name to value, shapes as in its Embodiment."""
Action = Mapping[str, np.ndarray]
"""One time step of action, in the body's units: group name to (a,), or (steps, a) for a path."""


@dataclass(frozen=True, kw_only=True)
class Episode:
    """One recording of one body, in its units; images may still be encoded."""

    embodiment: str
    source: str
    """Name of the data set it comes from."""
    key: str
    """Which episode of that data set."""
    times_ns: np.ndarray
    """int64 (t,)."""
    observation: Mapping[str, Sequence[Any] | np.ndarray]
    """Stream name to t values: encoded images as bytes or arrays as they come, (t, n) numbers,
    t strings. A stream that the recording lacks is absent."""
    action: Mapping[str, np.ndarray]
    """Group name to (t, a), or (t, steps, a) for a path."""
    observation_valid: Mapping[str, np.ndarray] = field(default_factory=dict)
    """Stream name to bool (t,); a stream that is not named here is valid throughout."""
    action_valid: Mapping[str, np.ndarray] = field(default_factory=dict)
    """Group name to bool (t,), or (t, steps) for a path; the same rule."""

    def __len__(self) -> int:
        return len(self.times_ns)


@dataclass(frozen=True, kw_only=True)
class Observation:
    """One robot's window, preprocessed: what a policy is given to act upon."""

    embodiment: str
    streams: Mapping[str, Any]
    """Stream name to (t, ...) array, oldest first, or one str for an instruction."""
    valid: Mapping[str, np.ndarray]
    """Stream name to bool (t,)."""
    observed_at_ns: int = 0
    """When the newest frame was seen, by the robot's clock."""
    seed: int = 0
    step: int = 0
    """With the seed, decides the noise of a sampled action."""


@dataclass(frozen=True, kw_only=True)
class Window:
    """An observation and the actions that followed it: one training sample."""

    observation: Observation
    action: Mapping[str, np.ndarray]
    """Group name to (horizon, a)."""
    action_valid: Mapping[str, np.ndarray]
    """Group name to bool (horizon,); steps past the end are invalid, never repeated as real."""


@dataclass(frozen=True, kw_only=True)
class ActionChunk:
    """What a policy answers: the next actions of one body, in its units."""

    embodiment: str
    action: Mapping[str, np.ndarray]
    """Group name to float32 (horizon, a)."""
    observed_at_ns: int
    """The time of the observation that it answers, by the robot's clock."""
    text: str | None = None

    def times_ns(self, body: Embodiment, group: str) -> np.ndarray:
        """When each row takes effect, int64 (horizon,).

        A control step starts at once; row i of a path is reached (i + 1) / hz seconds on.
        """
        spec, rows = body.action[group], np.arange(len(self.action[group]))
        seconds = (rows + 1) / spec.hz if isinstance(spec, PathGroup) else rows / body.control_hz
        return self.observed_at_ns + np.round(seconds * 1e9).astype(np.int64)
