"""What a training sample is: a window of the past and the actions that followed, stacked."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from octoverse import calibration
from octoverse.embodiment import (
    Camera,
    Command,
    Embodiment,
    GoalImage,
    Instruction,
    Stream,
    rows_of,
    stream_shape,
)
from octoverse.episode import Window
from octoverse.errors import UnknownName
from octoverse.preprocess import Preprocess


@dataclass(frozen=True, kw_only=True)
class WindowSpec:
    """How much of the past a sample shows, and how much of what followed it asks for."""

    frames: int = 1
    """Time steps t in a window."""
    spacing: float = 1
    """Control steps between them; times decide, so it need not be a whole number."""
    horizon: int = 8
    """Control steps in an action chunk; a path group has its own."""
    horizons: Mapping[str, int] = field(default_factory=dict)
    """Action groups that differ from `horizon`."""
    streams: tuple[str, ...] | None = None
    """The streams wanted; None for all that the body sees. `<camera>.calibration` is one, too, but
    comes only where it is named."""

    def __post_init__(self) -> None:
        if min(self.frames, self.horizon, *self.horizons.values()) < 1:
            raise ValueError(f"frames and horizons must be at least 1, got {self}.")
        if not 0 < self.spacing < float("inf"):
            raise ValueError(f"spacing must be above 0 control steps, got {self.spacing}.")

    def rows(self, body: Embodiment, group: str) -> int:
        """Rows of one group's chunk."""
        return rows_of(body.action[group], self.horizons.get(group, self.horizon))

    def wanted(self, body: Embodiment) -> dict[str, Stream]:
        """The body's streams that a sample holds."""
        names = body.observation if self.streams is None else self.streams
        for name in names:
            if name not in body.observation and calibration.camera_of(body, name) is None:
                raise UnknownName(f"stream of '{body.name}'", name, body.observation)
        return {name: body.observation[name] for name in names if name in body.observation}

    def calibrations(self, body: Embodiment) -> dict[str, str]:
        """The calibrations that a sample holds: stream to its camera."""
        cameras = {name: calibration.camera_of(body, name) for name in self.streams or ()}
        return {name: camera for name, camera in cameras.items() if camera is not None}


def shape_of(body: Embodiment, stream: Stream, preprocess: Preprocess) -> tuple[int, ...]:
    """Shape of one prepared value of a stream."""
    if isinstance(stream, Camera | GoalImage):
        return (*image_size(body, stream, preprocess), 3)
    return stream_shape(stream)


def image_size(
    body: Embodiment, stream: Camera | GoalImage, preprocess: Preprocess
) -> tuple[int, int]:
    """(height, width) of a prepared image; a goal image is as large as its camera's."""
    camera = body.cameras[stream.camera] if isinstance(stream, GoalImage) else stream
    return preprocess.size(camera)


def dtype_of(stream: Stream) -> type:
    """Type of the prepared values of a stream."""
    match stream:
        case Camera() | GoalImage():
            return np.uint8
        case Command():
            return np.int64
        case _:
            return np.float32


def padded(size: int) -> int:
    """Bytes that an array takes where the next one is to begin at a multiple of 64."""
    return -(-size // 64) * 64


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
    hidden: Mapping[str, np.ndarray] = field(default_factory=dict)
    """Stream name to bool (b,): samples that are not to see it, though its values are there for
    codecs that refer to them."""
    source: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    """int64 (b,): which source of a mixture each sample is of; empty outside of one."""

    def __len__(self) -> int:
        return len(self.seeds)

    @classmethod
    def empty(
        cls, body: Embodiment, spec: WindowSpec, preprocess: Preprocess, count: int
    ) -> "StackedWindows":
        """Room for so many samples, all invalid."""
        streams: dict[str, Any] = {}
        wanted = spec.wanted(body)
        for name, stream in wanted.items():
            if isinstance(stream, Instruction):
                streams[name] = [""] * count
            else:
                shape = (count, spec.frames, *shape_of(body, stream, preprocess))
                streams[name] = np.zeros(shape, dtype_of(stream))
        looks = spec.calibrations(body)
        for name in looks:
            streams[name] = np.zeros((count, spec.frames, calibration.NUMBERS), np.float32)
        rows = {name: spec.rows(body, name) for name in body.action}
        return cls(
            embodiment=body.name,
            streams=streams,
            valid={name: np.zeros((count, spec.frames), bool) for name in (*wanted, *looks)},
            action={
                name: np.zeros((count, rows[name], group.size), np.float32)
                for name, group in body.action.items()
            },
            action_valid={name: np.zeros((count, rows[name]), bool) for name in body.action},
            seeds=np.zeros(count, np.int64),
            hidden={name: np.zeros(count, bool) for name in (*wanted, *looks)},
            source=np.zeros(count, np.int64),
        )

    def mapped(self, change: Callable[[np.ndarray], np.ndarray]) -> "StackedWindows":
        """The same with every array changed; words stay."""

        def each(part: Mapping[str, Any]) -> dict[str, Any]:
            return {k: change(v) if isinstance(v, np.ndarray) else v for k, v in part.items()}

        return StackedWindows(
            embodiment=self.embodiment,
            streams=each(self.streams),
            valid=each(self.valid),
            action=each(self.action),
            action_valid=each(self.action_valid),
            seeds=change(self.seeds),
            hidden=each(self.hidden),
            source=change(self.source),
        )

    @property
    def nbytes(self) -> int:
        """Memory of its arrays, in bytes, each beginning at a multiple of 64."""
        sizes: list[int] = []

        def measured(array: np.ndarray) -> np.ndarray:
            sizes.append(padded(array.nbytes))
            return array

        self.mapped(measured)
        return sum(sizes)

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
