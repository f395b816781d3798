"""Cut training samples out of episodes: a window of the past and the actions that followed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from octoverse.embodiment import (
    Camera,
    Command,
    Embodiment,
    GoalImage,
    Instruction,
    PathGroup,
    Stream,
    stream_shape,
)
from octoverse.episode import Episode, Observation, Window
from octoverse.errors import UnknownName
from octoverse.preprocess import Preprocess


@dataclass(frozen=True, kw_only=True)
class WindowSpec:
    """How much of the past a sample shows, and how much of what followed it asks for."""

    frames: int = 1
    """Time steps t in a window."""
    spacing: int = 1
    """Control steps between them."""
    horizon: int = 8
    """Control steps in an action chunk; a path group has its own."""
    horizons: Mapping[str, int] = field(default_factory=dict)
    """Action groups that differ from `horizon`."""
    streams: tuple[str, ...] | None = None
    """The streams wanted; None for all that the body sees."""

    def __post_init__(self) -> None:
        if min(self.frames, self.spacing, self.horizon, *self.horizons.values()) < 1:
            raise ValueError(f"frames, spacing and horizons must be at least 1, got {self}.")

    def rows(self, body: Embodiment, group: str) -> int:
        """Rows of one group's chunk."""
        spec = body.action[group]
        return spec.steps if isinstance(spec, PathGroup) else self.horizons.get(group, self.horizon)

    def wanted(self, body: Embodiment) -> dict[str, Stream]:
        """The streams that a sample of this body holds."""
        names = body.observation if self.streams is None else self.streams
        for name in names:
            if name not in body.observation:
                raise UnknownName(f"stream of '{body.name}'", name, body.observation)
        return {name: body.observation[name] for name in names}

    @property
    def early(self) -> int:
        """Control steps before the start for which the first frame still stands."""
        return self.spacing // 2

    @property
    def past(self) -> int:
        """Control steps from the oldest frame of a window to the newest."""
        return (self.frames - 1) * self.spacing


def shape_of(body: Embodiment, stream: Stream, preprocess: Preprocess) -> tuple[int, ...]:
    """Shape of one prepared value of a stream."""
    if isinstance(stream, Camera):
        return (*preprocess.size(stream), 3)
    if isinstance(stream, GoalImage):
        return (*preprocess.size(body.cameras[stream.camera]), 3)
    return stream_shape(stream)


def dtype_of(stream: Stream) -> type:
    """Type of the prepared values of a stream."""
    match stream:
        case Camera() | GoalImage():
            return np.uint8
        case Command():
            return np.int64
        case _:
            return np.float32


def cut(
    episode: Episode, step: int, body: Embodiment, spec: WindowSpec, preprocess: Preprocess
) -> Window:
    """Cut one sample out of an episode.

    Frames before the start, streams that the recording lacks and steps after the end are zero and
    invalid. As in a Session, a place in the window takes the frame nearest to its time, at most
    half a spacing away, so the first frame may stand for a place shortly before it.

    Args:
        episode: Where it is cut from.
        step: Time step of the newest frame; the chunk's first row is the action of this step.
        body: The episode's body.
        spec: What to cut.
        preprocess: Prepares the images.
    """
    if not 0 <= step < len(episode):
        raise IndexError(f"step must be from 0 to {len(episode) - 1}, got {step}.")
    times = range(step - spec.past, step + 1, spec.spacing)
    places = [0 if -spec.early <= t < 0 else t for t in times]
    streams: dict[str, Any] = {}
    valid: dict[str, np.ndarray] = {}
    for name, stream in spec.wanted(body).items():
        seen = episode.observation_valid.get(name, np.ones(len(episode), bool))
        here = [name in episode.observation and t >= 0 and bool(seen[t]) for t in places]
        if isinstance(stream, Instruction):
            streams[name] = episode.observation[name][step] if here[-1] else ""
            valid[name] = np.full(spec.frames, here[-1])
            continue
        shape = (spec.frames, *shape_of(body, stream, preprocess))
        values: np.ndarray = np.zeros(shape, dtype_of(stream))
        for i, t in enumerate(places):
            if here[i]:
                frame = {name: episode.observation[name][t]}
                values[i] = preprocess.frame(body, frame)[name]
        streams[name], valid[name] = values, np.array(here)
    action, action_valid = {}, {}
    for name, group in body.action.items():
        rows = spec.rows(body, name)
        chunk = np.zeros((rows, group.size), np.float32)
        real = np.zeros(rows, bool)
        if name in episode.action:
            known = episode.action_valid.get(name, np.ones(episode.action[name].shape[:-1], bool))
            pick = step if isinstance(group, PathGroup) else slice(step, step + rows)
            count = len(known[pick])
            real[:count] = known[pick]
            chunk[:count] = np.where(real[:count, None], episode.action[name][pick], 0)
        action[name], action_valid[name] = chunk, real
    observation = Observation(
        embodiment=body.name,
        streams=streams,
        valid=valid,
        observed_at_ns=int(episode.times_ns[step]),
        step=step,
    )
    return Window(observation=observation, action=action, action_valid=action_valid)


@dataclass(frozen=True, kw_only=True)
class StackedWindows:
    """b samples of one body, stacked: what a training step is fed with."""

    embodiment: str
    streams: Mapping[str, Any]
    """Stream name to (b, t, ...): images uint8, commands int64, other numbers float32;
    an instruction is a list of b strings."""
    valid: Mapping[str, np.ndarray]
    """Stream name to bool (b, t)."""
    action: Mapping[str, np.ndarray]
    """Group name to float32 (b, h, a); zero where invalid."""
    action_valid: Mapping[str, np.ndarray]
    """Group name to bool (b, h)."""
    seeds: np.ndarray
    """int64 (b,): decides each sample's noise."""

    def __len__(self) -> int:
        return len(self.seeds)

    @classmethod
    def from_windows(cls, windows: Sequence[Window]) -> "StackedWindows":
        """Stack single samples of one body and one spec."""
        seen = [window.observation for window in windows]
        bodies = sorted({one.embodiment for one in seen})
        if len(bodies) != 1:
            raise ValueError(f"Expected windows of one body, got {bodies or 'none'}.")

        def stack(values: Sequence[Any]) -> Any:
            return list(values) if isinstance(values[0], str) else np.stack(values)

        return cls(
            embodiment=bodies[0],
            streams={k: stack([one.streams[k] for one in seen]) for k in seen[0].streams},
            valid={k: np.stack([one.valid[k] for one in seen]) for k in seen[0].valid},
            action={k: np.stack([w.action[k] for w in windows]) for k in windows[0].action},
            action_valid={
                k: np.stack([w.action_valid[k] for w in windows]) for k in windows[0].action_valid
            },
            seeds=np.array([one.seed for one in seen], np.int64),
        )
