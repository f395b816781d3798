"""Read signals off at other times than their own, and find where a recording has gaps."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from octoverse import rotation
from octoverse.data.logs.drive import EgoMotion


def nanoseconds(seconds: np.ndarray | float) -> np.ndarray:
    """Seconds as int64 nanoseconds, rounded."""
    return np.round(np.asarray(seconds, np.float64) * 1e9).astype(np.int64)


def runs(times_ns: np.ndarray, longest_gap: float) -> list[tuple[int, int]]:
    """First and last time [ns] of each stretch without a gap of more than `longest_gap` [s]."""
    breaks = np.flatnonzero(np.diff(times_ns) > longest_gap * 1e9)
    firsts = times_ns[np.concatenate([[0], breaks + 1])]
    lasts = times_ns[np.concatenate([breaks, [len(times_ns) - 1]])]
    return [(int(a), int(b)) for a, b in zip(firsts, lasts, strict=True)]


def steps_at(first_ns: int, last_ns: int, hz: float) -> int:
    """How many steps at `hz` there are from one time up to another, both included."""
    return int(np.floor((last_ns - first_ns) * hz / 1e9 + 1e-6)) + 1


def nearest(
    times_ns: np.ndarray, at_ns: np.ndarray, tolerance: float
) -> tuple[np.ndarray, np.ndarray]:
    """The sample nearest to each time.

    Args:
        times_ns: Of the samples, int64 (n,), increasing.
        at_ns: int64 (t,).
        tolerance: How far away a sample may be [s].

    Returns:
        Index of the sample, int64 (t,), and whether it is near enough, bool (t,).
    """
    after = np.searchsorted(times_ns, at_ns).clip(1, max(len(times_ns) - 1, 1))
    before = after - 1
    after = np.minimum(after, len(times_ns) - 1)
    nearer = at_ns - times_ns[before] <= times_ns[after] - at_ns
    found = np.where(nearer, before, after)
    return found, np.abs(times_ns[found] - at_ns) <= tolerance * 1e9


def numbers_at(
    times_ns: np.ndarray,
    values: np.ndarray,
    at_ns: np.ndarray,
    tolerance: float,
    longest_gap: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Numbers between samples, linearly; before the first and after the last, those themselves.

    Args:
        times_ns: Of the samples, int64 (n,), increasing.
        values: (n, a).
        at_ns: int64 (t,).
        tolerance: How far beyond the end of a stretch of samples a time may be [s].
        longest_gap: Samples further apart [s] have nothing between them.

    Returns:
        (t, a), and whether they are real, bool (t,).
    """
    place, near = nearest(times_ns, at_ns, tolerance)
    found: np.ndarray = np.array(values[place], np.float64)
    after = np.searchsorted(times_ns, at_ns)
    inside = (after > 0) & (after < len(times_ns))
    after = after.clip(1, max(len(times_ns) - 1, 1))[inside]
    if len(after):
        width = times_ns[after] - times_ns[after - 1]
        share = ((at_ns[inside] - times_ns[after - 1]) / width)[:, None]
        joined = width <= longest_gap * 1e9
        between = values[after - 1] * (1 - share) + values[after] * share
        where = np.flatnonzero(inside)[joined]
        found[where], near[where] = between[joined], True
    return found, near


def words_at(
    times_ns: np.ndarray, values: Sequence[Any] | np.ndarray, at_ns: np.ndarray
) -> tuple[list[str], np.ndarray]:
    """Words that hold from their own time until the next: t of them, and whether any held yet."""
    place = np.searchsorted(times_ns, at_ns, side="right") - 1
    return [str(values[i]) if i >= 0 else "" for i in place.tolist()], place >= 0


def poses_at(ego: EgoMotion, at_ns: np.ndarray) -> np.ndarray:
    """Poses on the level: positions on a line, rotations on the shortest arc between two samples.

    Args:
        ego: Samples of one stretch without a gap.
        at_ns: int64 (...). Times outside the stretch get its first or last pose: mask them.

    Returns:
        (..., 3): x [m], y [m], heading [rad] in the fixed frame of `ego`.
    """
    unique, back = np.unique(at_ns, return_inverse=True)
    times = ego.times_ns
    after = np.searchsorted(times, unique).clip(1, max(len(times) - 1, 1))
    before, after = after - 1, np.minimum(after, len(times) - 1)
    width = np.maximum(times[after] - times[before], 1)
    share = ((unique - times[before]) / width).clip(0, 1)
    places = ego.positions[before, :2] * (1 - share[:, None])
    places += ego.positions[after, :2] * share[:, None]
    turned = rotation.between(ego.rotations[before], ego.rotations[after], share)
    found = np.concatenate([places, rotation.heading_of(turned)[:, None]], axis=1)
    return found[back.reshape(at_ns.shape)]
