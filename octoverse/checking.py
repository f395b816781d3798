"""Check one frame of a body, fast where it is sound and in words where it is not."""

from collections.abc import Mapping
from operator import le
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
from octoverse.errors import SpecMismatch, UnknownName


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
        if self._needed <= frame.keys() and self._sound(frame):
            return dict(frame)
        self.body.check_frame(frame)
        return {
            name: value if name in self._words else np.asarray(value, self._kinds[name][0])
            for name, value in frame.items()
        }

    def _sound(self, frame: Frame) -> bool:
        """Whether it can be taken as it is, as far as is seen fast."""
        for name, value in frame.items():
            if name in self._words:
                if not isinstance(value, str):
                    return False
                continue
            if name not in self._kinds or not isinstance(value, np.ndarray):
                return False
            dtype, shape, bounds = self._kinds[name]
            if value.dtype != dtype or value.shape != shape:
                return False
            if dtype != np.uint8:
                if bounds is None:
                    return False
                low, high = bounds
                numbers = value.tolist()  # so few are compared faster outside numpy
                if not all(map(le, low, numbers)) or not all(map(le, numbers, high)):
                    return False
        return True


def stale(body: Embodiment, at_ns: int, seen: Mapping[str, int], within_ns: int) -> set[str]:
    """The streams that were seen too long before their frame to belong to it; words have no time.

    Args:
        body: Whose frame it is.
        at_ns: The frame's time.
        seen: The streams' own times.
        within_ns: How far they may be from the frame's.

    Raises:
        UnknownName: if the body has no such stream.
        SpecMismatch: if one was seen too long after its frame.
    """
    for name, when in seen.items():
        if name not in body.observation:
            raise UnknownName(f"stream of '{body.name}'", name, body.observation)
        if when - at_ns > within_ns:
            raise SpecMismatch(
                f"{body.name}.{name}: expected it to be seen at most {within_ns} ns after its "
                f"frame, which is of {at_ns} ns, got {when} ns. Give a frame the time of its "
                "newest stream."
            )
    late = {name for name, when in seen.items() if at_ns - when > within_ns}
    return {name for name in late if not isinstance(body.observation[name], Instruction)}


def _bounds(stream: Stream) -> tuple[list[float], list[float]] | None:
    """The limits of a state where they are finite: whatever lies between them is a number."""
    if not isinstance(stream, State):
        return None
    with np.errstate(over="ignore"):  # what is too large becomes infinite
        low, high = np.array(stream.low, np.float32), np.array(stream.high, np.float32)
    finite = np.isfinite(low).all() and np.isfinite(high).all()
    return (low.tolist(), high.tolist()) if finite else None
