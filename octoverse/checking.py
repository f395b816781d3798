"""Check one frame of a body, fast where it is sound and in words where it is not."""

from typing import Any

import numpy as np

from octoverse.embodiment import (
    Camera,
    Command,
    Embodiment,
    GoalImage,
    Instruction,
    State,
    Stream,
    stream_shape,
)
from octoverse.episode import Frame


def dtype_of(stream: Stream) -> np.dtype:
    """In what type windows and the wire hold a stream; an instruction is a str and has none."""
    match stream:
        case Camera() | GoalImage():
            return np.dtype(np.uint8)
        case Command():
            return np.dtype(np.int64)
        case _:
            return np.dtype(np.float32)


class FrameCheck:
    """Checks frames of one body, at every step of every robot."""

    def __init__(self, body: Embodiment) -> None:
        self.body = body
        self._kinds = {
            name: (dtype_of(stream), stream_shape(stream), _bounds(stream))
            for name, stream in body.observation.items()
            if not isinstance(stream, Instruction)
        }
        self._words = set(body.observation) - set(self._kinds)
        self._needed = {n for n, s in body.observation.items() if not s.optional}

    def __call__(self, frame: Frame) -> dict[str, Any]:
        """Give a frame in the types that windows and the wire hold; nothing is copied in vain.

        Returns:
            Images uint8, commands int64 (), other numbers float32, instructions str.

        Raises:
            SpecMismatch: unless it is one complete observation of the body.
            UnknownName: if it has a stream that the body has not.
        """
        if self._needed <= frame.keys() and all(map(self._sound, frame, frame.values())):
            return dict(frame)
        self.body.check_frame(frame)
        return {
            name: value if name in self._words else np.asarray(value, self._kinds[name][0])
            for name, value in frame.items()
        }

    def _sound(self, name: str, value: Any) -> bool:
        if name in self._words:
            return isinstance(value, str)
        if name not in self._kinds or not isinstance(value, np.ndarray):
            return False
        dtype, shape, bounds = self._kinds[name]
        if value.dtype != dtype or value.shape != shape:
            return False
        if dtype == np.uint8:
            return True
        if bounds is None:
            return False
        low, high = bounds
        return bool(((value >= low) & (value <= high)).all())


def _bounds(stream: Stream) -> tuple[np.ndarray, np.ndarray] | None:
    """The limits of a state where they are finite: whatever lies between them is a number."""
    if not isinstance(stream, State):
        return None
    low, high = np.array(stream.low, np.float32), np.array(stream.high, np.float32)
    return (low, high) if np.isfinite(low).all() and np.isfinite(high).all() else None
