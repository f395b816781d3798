"""What flows through the house: episodes, windows of observation, chunks of action."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta

from octoverse.embodiment import Embodiment, PathGroup

Frame = Mapping[str, Any]
"""One time step as the body sees it: stream name to value, shapes as in its Embodiment."""
Action = Mapping[str, np.ndarray]
"""One time step of action, in the body's units: group name to (a,), or (steps, a) for a path."""


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """Where a camera looks."""

    intrinsics: Annotated[tuple[float, ...], Meta(min_length=9, max_length=9)]
    """3 x 3, row by row [pixel]."""
    extrinsics: Annotated[tuple[float, ...], Meta(min_length=16, max_length=16)]
    """4 x 4, row by row: from the camera's frame (x right, y down, z ahead) to the body's [m]."""


@dataclass(frozen=True, kw_only=True)
class Tracks:
    """Other agents, one row for each time step that one is seen at, in order of steps."""

    step: np.ndarray
    """int64 (m,): time step of the episode."""
    identity: np.ndarray
    """str (m,): which agent."""
    kind: np.ndarray
    """str (m,): vehicle, pedestrian, ... in the recording's words."""
    pose: np.ndarray
    """float32 (m, 3): x [m], y [m], heading [rad] of its middle in the body's frame at that step;
    for a car, that of the rear axle."""
    size: np.ndarray
    """float32 (m, 3): length, width, height [m]; zero where the recording does not say."""
    velocity: np.ndarray
    """float32 (m, 2): over ground, along the body's x and y [m/s]; NaN where it does not say."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """One question about one time step, with its answer, in words."""

    step: int
    kind: str
    """Such as perception, prediction, planning or behaviour."""
    question: str
    answer: str


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
    t strings. A stream that the recording lacks is absent. Sequences of images may be lazy, and
    read one when it is indexed."""
    action: Mapping[str, np.ndarray]
    """Group name to (t, a), or (t, steps, a) for a path."""
    observation_valid: Mapping[str, np.ndarray] = field(default_factory=dict)
    """Stream name to bool (t,); a stream that is not named here is valid throughout."""
    action_valid: Mapping[str, np.ndarray] = field(default_factory=dict)
    """Group name to bool (t,), or (t, steps) for a path; the same rule."""
    calibration: Mapping[str, Calibration] = field(default_factory=dict)
    """Of its cameras, by stream, where the recording knows it."""
    tracks: Tracks | None = None
    """Other agents, where the recording has them."""
    questions: Sequence[Question] = ()
    """Asked and answered about it, where the recording has them."""

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
    frames: tuple[int, ...] = ()
    """A number of its own for every frame t, -1 where there is none: by it a policy knows what it
    remembers of them. Empty where nothing is to be remembered."""
    prefix: Mapping[str, np.ndarray] = field(default_factory=dict)
    """Action group to (p, a) rows, in the body's units, that are executed while the answer is
    computed and that it must begin with; one p for all groups that step with the body. Empty where
    nothing is held."""


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

    def rows(self, body: Embodiment, first: int, count: int) -> dict[str, np.ndarray]:
        """Up to `count` rows from `first` on, for an `Observation.prefix`; {} where none is left.

        Paths are left out: their waypoints are relative to where the body was.
        """
        found = {
            group: values[first : first + count]
            for group, values in self.action.items()
            if not isinstance(body.action[group], PathGroup)
        }
        return {group: values for group, values in found.items() if len(values)}

    def times_ns(self, body: Embodiment, group: str) -> np.ndarray:
        """When each row takes effect, int64 (horizon,).

        A control step starts at once; row i of a path is reached (i + 1) / hz seconds on.
        """
        spec, rows = body.action[group], np.arange(len(self.action[group]))
        seconds = (rows + 1) / spec.hz if isinstance(spec, PathGroup) else rows / body.control_hz
        return self.observed_at_ns + np.round(seconds * 1e9).astype(np.int64)
