"""What recorded numbers tell of themselves: grippers, velocities, units."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from math import pi

import numpy as np

_ALIKE = 0.9
"""Correlation from which two courses are taken to be one."""
_LAGS = range(12)
"""Steps by which a state may follow its command."""


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """Numbers of several episodes, one after the other."""

    values: np.ndarray
    """float64 (t, n)."""
    ends: np.ndarray
    """int64 (episodes,): the row after each episode."""
    names: tuple[str, ...]

    @property
    def low(self) -> tuple[float, ...]:
        """Somewhat below the smallest of each."""
        edge = np.floor((self.values.min(axis=0) - self._room) * 100) / 100
        return tuple(float(x) for x in edge)

    @property
    def high(self) -> tuple[float, ...]:
        """Somewhat above the largest of each."""
        edge = np.ceil((self.values.max(axis=0) + self._room) * 100) / 100
        return tuple(float(x) for x in edge)

    def slice(self, start: int, stop: int) -> "Numbers":
        """Numbers [start, stop) of each step."""
        return Numbers(
            values=self.values[:, start:stop], ends=self.ends, names=self.names[start:stop]
        )

    @property
    def _room(self) -> np.ndarray:
        return np.maximum(0.1 * np.ptp(self.values, axis=0), 0.1)


@dataclass(frozen=True, kw_only=True)
class Motion:
    """What a run of action numbers is taken to be, and why."""

    velocity: bool
    why: str


def gripper_like(numbers: Numbers) -> Iterator[tuple[str, int, int]]:
    """Cut the numbers of one action into runs.

    A gripper is called so, or dwells at two ends of [0, 1] or [-1, 1].

    Returns:
        "gripper" or "motion", and the run's numbers [start, stop).
    """
    labels = []
    for column, name in zip(numbers.values.T, numbers.names, strict=True):
        ends = (column.min(), column.max())
        known = ends in ((0.0, 1.0), (-1.0, 1.0))
        dwells = float(np.isin(column, ends).mean()) > 0.9
        labels.append("gripper" if "gripper" in name or (known and dwells) else "motion")
    start = 0
    for label, run in groupby(labels):
        count = len(list(run))
        yield label, start, start + count
        start += count


def kind_of_motion(action: Numbers, state: Numbers | None, hz: float) -> Motion:
    """Find out whether an action is where the state goes, or how fast it changes.

    Args:
        action: Of the same steps as the state.
        state: Of the same joints, and perhaps some more after them; None where there is none.
        hz: Steps per second.
    """
    if any("vel" in name for name in action.names):
        return Motion(velocity=True, why="called a velocity.")
    size = action.values.shape[1]
    if state is None or state.values.shape[1] < size:
        return Motion(velocity=False, why="position or velocity cannot be told without a state.")
    place = state.values[:, :size]
    inside = np.setdiff1d(np.arange(len(place) - 1), action.ends[:-1] - 1)
    change = (np.diff(place, axis=0) * hz)[inside]
    said = action.values[:-1][inside]
    if _alike(said, change) > _ALIKE and np.ptp(said) < 3 * np.ptp(change):
        return Motion(velocity=True, why="follows the change of the state: a velocity.")
    errors = [np.abs(place[lag:] - action.values[: len(place) - lag]).mean() for lag in _LAGS]
    best = int(np.argmin(errors))
    if _alike(action.values[: len(place) - best], place[best:]) > _ALIKE:
        why = f"the state comes closest to it {best} steps later: positions to go to."
        return Motion(velocity=False, why=why)
    return Motion(velocity=False, why="position, velocity or delta cannot be told from the data.")


def units_of(numbers: Numbers) -> tuple[str, ...]:
    """Radians where all numbers could be, else none: degrees and counts are for a `convert`."""
    most = np.abs(numbers.values).max(axis=0)
    return tuple("rad" if one <= 2 * pi else "1" for one in most)


def _alike(one: np.ndarray, other: np.ndarray) -> float:
    """Mean correlation of the columns that move in both."""
    found = [
        float(np.corrcoef(a, b)[0, 1])
        for a, b in zip(one.T, other.T, strict=True)
        if np.ptp(a) > 1e-3 and np.ptp(b) > 1e-3
    ]
    return float(np.mean(found)) if found else 0.0
