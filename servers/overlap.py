"""Make one plan of chunks that cover the same moments.

Three ways. "newest": the newest chunk alone, from where it is now. "ensemble": what all chunks say
of a moment is averaged, the i-th oldest with weight exp(-decay i). "blend": each chunk takes over
from what was played before it, step by step until that ends.

Source: ensembles are those of Zhao et al., "Learning fine-grained bimanual manipulation with
low-cost hardware" (2023); the weights of a blend those of Black, Galliker and Levine, "Real-time
execution of action chunking flow policies" (2025), equation 5, with which they guide the policy
and by which we mix what it answered.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from octoverse.embodiment import (
    ActionGroup,
    Embodiment,
    Gripper,
    JointPosition,
    PathGroup,
    Terminate,
    Waypoints,
    rate_of,
)
from octoverse.episode import Action, ActionChunk
from octoverse.motion import shift_path, wrap

OverlapKind = Literal["newest", "ensemble", "blend"]
Since = Callable[[int], np.ndarray | None]
"""Gives the present pose (3,) as seen from where the body was then [ns]; None if not known."""

_MOST = 128
"""Chunks kept; an ensemble of one chunk in every step has as many as a chunk has rows."""


@dataclass
class _Layer:
    chunk: ActionChunk
    frozen_steps: int
    from_ns: int
    """When its first row is due."""
    begins_ns: int | None = None
    """From when on it counts; None until it is played for the first time."""
    until_ns: dict[str, int] = field(default_factory=dict)
    """For each group, when it has taken over altogether."""
    offset: dict[str, np.ndarray] = field(default_factory=dict)
    """For joints that nothing overlaps, how far from it they stood when it began."""

    def has_taken_over(self, now_ns: int) -> bool:
        """Say whether nothing before it counts any more."""
        return self.begins_ns is not None and max(self.until_ns.values()) <= now_ns


class Overlap:
    """The chunks that count now, oldest first.

    Numbers are averaged as numbers: joint positions too, since a joint has ends and cannot take
    the short way round, and roll, pitch and yaw of a delta, which are small. Headings take the
    short way round. Grippers and ends of tasks are never averaged: half open is neither. Paths
    are moved to where the body is now, and mixed moment by moment.

    Args:
        body: Whose actions they are.
        kind: How chunks are mixed.
        decay: Of the weights of an ensemble.
    """

    def __init__(self, body: Embodiment, kind: OverlapKind, decay: float) -> None:
        self.body, self.kind, self.decay = body, kind, decay
        self._layers: list[_Layer] = []

    @property
    def newest(self) -> ActionChunk | None:
        """The chunk that answers the newest observation."""
        return self._layers[-1].chunk if self._layers else None

    def clear(self) -> None:
        """Forget all chunks."""
        self._layers.clear()

    def add(self, chunk: ActionChunk, frozen_steps: int) -> None:
        """Add a chunk newer than the others, which for so many rows must not yet count."""
        if self.kind == "newest":
            self._layers.clear()
        self._layers.append(_Layer(chunk, frozen_steps, chunk.observed_at_ns))
        del self._layers[:-_MOST]

    def age_s(self, now_ns: int) -> float:
        """How long ago the first row of the newest chunk was due [s]."""
        return (now_ns - self._layers[-1].from_ns) * 1e-9

    def wait(self, since_ns: int, now_ns: int) -> None:
        """Put off what has come while the body was held; since it was, nothing has passed."""
        for layer in self._layers:
            layer.from_ns += max(0, now_ns - max(since_ns, layer.chunk.observed_at_ns))

    def plan(self, now_ns: int, since: Since, last: Action) -> dict[str, np.ndarray]:
        """Say what to do in the control step that begins now.

        Args:
            now_ns: By the clock of the observations.
            since: Where the body is.
            last: The last action; a blend that nothing overlaps goes on from there.

        Returns:
            For each group (a,), or (steps, a) for a path.
        """
        if self.kind == "blend":
            for before, layer in zip([None, *self._layers], self._layers, strict=False):
                if layer.begins_ns is None:
                    self._settle(layer, before, now_ns, last)
        self._drop(now_ns)
        return {
            name: self._mixed(name, group, now_ns, since)
            for name, group in self.body.action.items()
        }

    def _settle(self, layer: _Layer, before: _Layer | None, now_ns: int, last: Action) -> None:
        """Settle how a chunk that came since the last step takes over from what is played."""
        promised = round(layer.frozen_steps * 1e9 / self.body.control_hz) if before else 0
        begins = layer.begins_ns = max(now_ns, layer.from_ns + promised)
        for name, group in self.body.action.items():
            until = self._end_ns(before, name) if before else begins
            if until <= begins and isinstance(group, JointPosition) and name in last:
                # Only the gap is made up for, so that the joint moves as the chunk does.
                rows, stood = layer.chunk.action[name], last[name]
                if before and begins > now_ns:
                    stood = before.chunk.action[name][-1]
                first = nearest((begins - layer.from_ns) * 1e-9 * self.body.control_hz)
                layer.offset[name] = stood - rows[min(first, len(rows) - 1)]
                until = (begins + self._end_ns(layer, name)) // 2
            layer.until_ns[name] = max(begins, until)

    def _drop(self, now_ns: int) -> None:
        """Forget chunks that do not count any more."""
        if self.kind == "blend":
            done = [i for i, layer in enumerate(self._layers) if layer.has_taken_over(now_ns)]
            del self._layers[: max(done, default=0)]
        else:
            ends = [
                max(self._end_ns(layer, name) for name in self.body.action)
                for layer in self._layers[:-1]
            ]
            del self._layers[: sum(end <= now_ns for end in ends)]

    def _mixed(self, name: str, group: ActionGroup, now_ns: int, since: Since) -> np.ndarray:
        hz = rate_of(group, self.body)
        read = []
        for layer in self._layers:
            age, moved = (now_ns - layer.from_ns) * 1e-9, since(layer.chunk.observed_at_ns)
            read.append(_read(layer.chunk.action[name], group, hz, age, moved))
        covered = np.stack([has for _, has in read])
        if self.kind == "blend":
            shares = self._blended(name, group, now_ns, covered)
        else:
            shares = _averaged(covered, self.decay)
        plan = read[0][0]
        for layer, (rows, _), share in zip(self._layers, read, shares, strict=True):
            if name in layer.offset and layer.begins_ns is not None and layer.begins_ns <= now_ns:
                plan = np.clip(rows + layer.offset[name], group.low, group.high)
            plan = _lean(group, rows, plan, share)
        return plan if isinstance(group, PathGroup) else plan[0]

    def _blended(
        self, name: str, group: ActionGroup, now_ns: int, covered: np.ndarray
    ) -> np.ndarray:
        """Share (layers, k) that what was to be done before each chunk has in each row."""
        times = np.full(covered.shape[1], now_ns, np.float64)
        if isinstance(group, PathGroup):
            first = 1 if isinstance(group, Waypoints) else 0
            times += (np.arange(len(times)) + first) * 1e9 / group.hz
        step, known = 1e9 / self.body.control_hz, np.zeros(len(times), bool)
        shares = []
        for layer, has in zip(self._layers, covered, strict=True):
            assert layer.begins_ns is not None
            begins, until = layer.begins_ns, layer.until_ns[name]
            left = np.clip((until - times) / (until - begins + step), 0.0, 1.0)
            share = left * np.expm1(left) / math.expm1(1.0)
            share = np.where(times < begins, 1.0, share)
            shares.append(np.where(known | (name in layer.offset), share, 0.0))
            known = has
        return np.stack(shares)

    def _end_ns(self, layer: _Layer, name: str) -> int:
        hz = rate_of(self.body.action[name], self.body)
        return layer.from_ns + round(len(layer.chunk.action[name]) * 1e9 / hz)


def nearest(place: float) -> int:
    """Round to the nearest row, up from the middle."""
    return math.floor(place + 0.5)


def _read(
    rows: np.ndarray, group: ActionGroup, hz: float, age: float, moved: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Read a chunk (steps, a), whose first row was due `age` seconds ago, off from now on.

    Returns:
        Rows (k, a), one for a group that is no path; and which of them the chunk covers, (k,).
    """
    count = np.arange(len(rows))
    if isinstance(group, Waypoints):
        if age == 0 or moved is None:
            return rows, np.full(len(rows), age == 0)
        return shift_path(rows, hz, age, moved), (age + (count + 1) / hz) * hz < len(rows) + 1e-6
    first = nearest(age * hz)
    if isinstance(group, PathGroup):
        return _later(rows, first), count < len(rows) - first
    return rows[min(first, len(rows) - 1)][None], np.array([first < len(rows)])


def _later(rows: np.ndarray, first: int) -> np.ndarray:
    """What is left of controls (steps, 2); at the end the acceleration is zero."""
    left = np.repeat(rows[-1:], len(rows), axis=0)
    left[:, 0] = 0.0
    left[: max(0, len(rows) - first)] = rows[first:]
    return left


def _averaged(covered: np.ndarray, decay: float) -> np.ndarray:
    """Share (layers, k) that the older chunks together have in the mean up to each chunk."""
    weights = covered * np.exp(-decay * (np.cumsum(covered, axis=0) - 1))
    total = np.cumsum(weights, axis=0)
    older = total - weights
    return np.divide(older, total, out=np.zeros_like(total), where=total > 0)


def _lean(
    group: ActionGroup, rows: np.ndarray, before: np.ndarray, share: np.ndarray
) -> np.ndarray:
    """Lean rows (k, a) towards what was to be done before, by the shares (k,) that it still has."""
    if not share.any():
        return rows
    if isinstance(group, Gripper | Terminate):
        return np.where(share[:, None] >= 1.0, before, rows)
    gap = before.astype(np.float64) - rows
    if isinstance(group, Waypoints):
        gap[:, 2] = wrap(gap[:, 2])
    # The ends exactly, so that a promised row is played to the bit.
    mixed = np.where(share[:, None] >= 1.0, before, rows + share[:, None] * gap)
    if isinstance(group, Waypoints):
        mixed[:, 2] = wrap(mixed[:, 2])
    return mixed.astype(rows.dtype)
