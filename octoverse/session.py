"""One robot's window of time-stamped frames, and what a policy remembers of it.

The same class stands behind a local rollout and behind the server, so they cannot drift apart.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np

from octoverse import calibration as looks
from octoverse.checking import FrameCheck, dtype_of, stale
from octoverse.embodiment import Camera, Embodiment, Instruction, Stream, stream_shape
from octoverse.episode import ActionChunk, Calibration, Frame, Observation
from octoverse.errors import SpecMismatch

_CLOSEST = 16
"""Frames that come faster than this many per spacing are thinned out, which bounds the window."""
_PART = 4
"""An array that is a smaller part of the message it came in is copied, not to keep the rest."""
_FEW = 1024
"""So many bytes are sooner copied than asked where they lie."""
_ALWAYS = {"instruction", "calibration", "model"}
"""What stands in a memory and is not what a policy has put there; a server notes the model."""
_ANSWERS = 4
"""Newest answers that are kept: a robot plays one of them."""


class Session:
    """Keeps what one robot saw lately, by the robot's own clock.

    `memory` belongs to the policy. It is only ever replaced, never emptied in place, so a call
    that is still at work on older memory disturbs nobody: read it when you take an observation.

    Args:
        body: What the frames that come are checked against.
        frames: How many frames t a window has.
        spacing: Seconds between them; None for one control step of the body.
        prepare: Is given each frame before it is kept: resizes its images.
        streams: What a window holds, as it is after `prepare`; by default what the body sees.
            A stream that the body does not send is invalid throughout.
        memory_bytes: Memory that has grown beyond this is dropped.
        calibration: Of the robot's cameras, by name; stands in memory["calibration"], and is in
            every window as `<camera>.calibration`.
    """

    def __init__(
        self,
        body: Embodiment,
        *,
        frames: int = 1,
        spacing: float | None = None,
        prepare: Callable[[Frame], Frame] = lambda frame: frame,
        streams: Mapping[str, Stream] | None = None,
        memory_bytes: int = 64 * 2**20,
        calibration: Mapping[str, Calibration] | None = None,
    ) -> None:
        if frames < 1:
            raise ValueError(f"frames must be at least 1, got {frames}.")
        if spacing is not None and not spacing > 0:
            raise ValueError(f"spacing must be above 0 s, got {spacing} s.")
        self.body, self.frames, self.memory_bytes = body, frames, memory_bytes
        self.spacing = 1 / body.control_hz if spacing is None else spacing
        self.streams = body.observation if streams is None else streams
        self.calibration: dict[str, Calibration] = {}
        self.memory_dropped = 0
        """How often memory outgrew its bound."""
        self._count = 0
        self._check, self._prepare = FrameCheck(body), prepare
        self._spacing_ns = round(self.spacing * 1e9)
        self._kinds = {
            name: None if isinstance(s, Instruction) else (dtype_of(s), stream_shape(s))
            for name, s in self.streams.items()
        }
        self._instructions = [name for name, kind in self._kinds.items() if kind is None]
        self._nowhere, self._everywhere = _flags(frames)
        self.calibrate(calibration or {})
        self.reset()

    def calibrate(self, calibration: Mapping[str, Calibration]) -> None:
        """Take what is known of cameras, anew or for the first time; the others stay.

        What is remembered of frames is forgotten, since it may tell of the old.

        Raises:
            UnknownName: if the body has no camera of such a name.
            SpecMismatch: if a number is not finite or a focal length not above zero.
        """
        known = looks.known(self.body, {**self.calibration, **calibration})
        self.calibration.update(calibration)
        self._looks = {
            camera: np.broadcast_to(numbers, (self.frames, looks.NUMBERS))
            for camera, numbers in known.items()
            if camera in self._kinds
        }
        self.forget()

    def reset(self) -> None:
        """Begin a new episode: forget the window, the memory and the answers."""
        self._window: list[tuple[int, int, dict[str, Any]]] = []
        self._answers: tuple[ActionChunk, ...] = ()
        self.forget()

    def forget(self) -> None:
        """Drop the memory alone; a policy must be able to do without it."""
        self.memory: dict[str, Any] = {"instruction": {}, "calibration": self.calibration}

    def follow(self, other: "Session") -> bool:
        """Prepare frames as another session does from now on, if both windows are of one kind."""
        kinds = [(one.frames, one.spacing, one.streams) for one in (self, other)]
        if same := kinds[0] == kinds[1]:
            self._prepare = other._prepare
            self.forget()
        return same

    def pictures(self) -> dict[str, np.ndarray]:
        """Images of the newest frame, uint8 (height, width, 3), as they are kept."""
        window = self._window
        newest: dict[str, Any] = window[-1][2] if window else {}
        return {
            name: value for name, value in newest.items() if isinstance(self.streams[name], Camera)
        }

    @property
    def window_bytes(self) -> int:
        """About what the frames that are kept take up: each as much as the newest."""
        window = self._window
        return len(window) * _bytes(window[-1][2]) if window else 0

    def observe(self, frame: Frame, at_ns: int, seen: Mapping[str, int] | None = None) -> None:
        """Add one frame, seen at `at_ns` by the robot's clock; the same time replaces the newest.

        Args:
            frame: What the body sees.
            at_ns: When.
            seen: When single streams were seen, where that is not `at_ns`. One that was seen more
                than half a spacing before the frame does not belong to it, and is invalid there.

        Raises:
            SpecMismatch: if the frame does not fit the body, `prepare` gave other sizes than the
                window holds, the frame is older than the newest, or a stream much younger than
                its frame.
            UnknownName: if it has, or `seen` names, a stream that the body has not.
        """
        at_ns = int(at_ns)  # numpy's would run over
        if self._window and at_ns < self._window[-1][0]:
            raise SpecMismatch(
                f"{self.body.name}: expected frames in order of time, from "
                f"{self._window[-1][0]} ns on, got {at_ns} ns. Use a monotonic clock; when it "
                "starts again, or a time came from the future by mistake, reset the session."
            )
        late = stale(self.body, at_ns, seen, self._spacing_ns // 2) if seen else ()
        raw = self._check(frame)
        known = raw.keys() <= self.streams.keys()
        prepared = self._prepare(raw if known else {k: raw[k] for k in raw if k in self.streams})
        kept: dict[str, Any] = {}
        for name, kind in self._kinds.items():
            if name in raw and name not in late:
                value = prepared[name]
                kept[name] = value if kind is None else self._own(name, kind, value, raw[name])
        before = self._window[-1][2] if self._window else kept
        for name in self._instructions:
            if kept.get(name) != before.get(name):
                self.memory = {**self.memory, "instruction": {}}
        self._thin_out(at_ns)
        self._window.append((at_ns, self._count, kept))
        self._count += 1

    def observation(
        self, seed: int = 0, step: int = 0, prefix: Mapping[str, np.ndarray] | None = None
    ) -> Observation:
        """Give the window that ends with the newest frame; its arrays are not to be written to.

        Each place in the window takes the frame nearest to its time, at most half a spacing away;
        where there is none, it is zero and invalid.

        Args:
            seed: With the step, decides the noise of a sampled action.
            step: Counts the requests.
            prefix: Rows that the answer must begin with, such as `prefix` gives.

        Raises:
            ValueError: if nothing has been observed since the reset.
        """
        if not self._window:
            raise ValueError("a session must observe a frame before it can give an observation.")
        remembers = self.memory["instruction"] or not self.memory.keys() <= _ALWAYS
        if remembers and _bytes(self.memory) > self.memory_bytes:
            self.memory_dropped += 1
            self.forget()
        newest, frames, places = self._window[-1][2], *self._places()
        streams: dict[str, Any] = {}
        valid: dict[str, np.ndarray] = {}
        for name, kind in self._kinds.items():
            if kind is None:
                streams[name] = newest.get(name, "")
                valid[name] = self._everywhere if name in newest else self._nowhere
            elif self.frames == 1 and name in newest:
                streams[name], valid[name] = newest[name][None], self._everywhere
            else:
                streams[name], valid[name] = _stacked([p.get(name) for p in places], *kind)
        for camera, numbers in self._looks.items():
            name = looks.stream_of(camera)
            streams[name], valid[name] = numbers, valid[camera]
        return Observation(
            embodiment=self.body.name,
            streams=streams,
            valid=valid,
            observed_at_ns=self._window[-1][0],
            seed=seed,
            step=step,
            frames=frames,
            prefix=prefix or {},
        )

    def answered(self, chunk: ActionChunk) -> None:
        """Remember what a policy answered, until a few answers later."""
        self._answers = (*self._answers[1 - _ANSWERS :], chunk)

    def prefix(self, chunk_ns: int, executed: int, frozen: int) -> dict[str, np.ndarray]:
        """The rows of an earlier answer that the robot executes while the next one is computed.

        Args:
            chunk_ns: `observed_at_ns` of that answer.
            executed: How many of its rows had been executed when the newest frame was seen.
            frozen: How many of the rows after those are executed whatever comes.

        Returns:
            Action group to (p, a), p at most `frozen`, paths left out. Nothing if the answer is
            not known any more or has no such rows.
        """
        for chunk in reversed(self._answers):
            if chunk.observed_at_ns == chunk_ns:
                return chunk.rows(self.body, executed, frozen)
        return {}

    def _places(self) -> tuple[tuple[int, ...], list[dict[str, Any]]]:
        """Number and frame for each place of the window, oldest first; -1 where there is none."""
        if self.frames == 1:
            _, number, frame = self._window[-1]
            return (number,), [frame]
        found: list[dict[str, Any]] = [{} for _ in range(self.frames)]
        numbers = [-1] * self.frames
        distance = [self._spacing_ns] * self.frames
        newest = self._window[-1][0]
        for at_ns, number, frame in self._window:
            place = (newest - at_ns + self._spacing_ns // 2) // self._spacing_ns
            away = abs(newest - at_ns - place * self._spacing_ns)
            if place < self.frames and away <= distance[place]:
                found[place], distance[place], numbers[place] = frame, away, number
        return tuple(numbers[::-1]), found[::-1]

    def _thin_out(self, at_ns: int) -> None:
        """Make room for a frame at this time: drop what no window can need any more."""
        window = self._window
        if window and window[-1][0] == at_ns:
            window.pop()
        if len(window) > 1 and window[-1][0] - window[-2][0] < self._spacing_ns / _CLOSEST:
            window.pop()
        before = self.frames - 1
        oldest = at_ns - before * self._spacing_ns - (self._spacing_ns // 2 if before else 0)
        while window and window[0][0] < oldest:
            window.pop(0)

    def _own(
        self, name: str, kind: tuple[np.dtype, tuple[int, ...]], value: np.ndarray, sent: Any
    ) -> np.ndarray:
        if value.dtype != kind[0] or value.shape != kind[1]:
            raise SpecMismatch(
                f"{self.body.name}.{name}: expected {kind[0]} {kind[1]} in the window, "
                f"got {value.dtype} {value.shape} from `prepare`."
            )
        # A caller may use its buffer again; what came over the wire cannot be written to, and is
        # kept in its message where it is most of it.
        if value is sent and value.nbytes <= _FEW:
            return value.copy()
        lent = value.flags.writeable or value.nbytes * _PART < _whole(value)
        borrowed = lent and np.may_share_memory(value, sent)
        return value.copy() if borrowed else value


@cache
def _flags(frames: int) -> tuple[np.ndarray, np.ndarray]:
    """A stream that is in no frame, and one that is in all: the same arrays for every window."""
    return np.zeros(frames, np.bool_), np.ones(frames, np.bool_)


def _stacked(
    values: list[np.ndarray | None], dtype: np.dtype, shape: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Lay the frames of one stream behind each other, and say which were there."""
    window: np.ndarray = np.zeros((len(values), *shape), dtype)
    for i, value in enumerate(values):
        if value is not None:
            window[i] = value
    return window, np.array([value is not None for value in values])


def _whole(value: np.ndarray) -> int:
    """Bytes of what an array is a part of."""
    while isinstance(value.base, np.ndarray):
        value = value.base
    return value.nbytes if value.base is None else memoryview(value.base).nbytes


def _bytes(value: Any) -> int:
    """How much a policy has put into its memory, arrays and tensors by what they hold."""
    if isinstance(value, dict):
        return sum(map(_bytes, value.values()))
    if isinstance(value, list | tuple | set):
        return sum(map(_bytes, value))
    if isinstance(value, str | bytes | bytearray):
        return len(value)
    if hasattr(value, "nbytes"):
        return int(value.nbytes)
    return sum(map(_bytes, getattr(value, "__dict__", {}).values()))
