"""Gather the statistics of streams and actions, piece by piece, in bounded memory.

Source: Chan et al., "Updating formulae and a pairwise algorithm for computing sample variances",
1979 (merging means and variances).
"""

from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np

from octoverse.embodiment import (
    ActionGroup,
    EgoHistory,
    Gripper,
    NumericStream,
    Route,
    State,
    Terminate,
)
from octoverse.errors import BadData
from octoverse.normalize import Statistics

SAMPLE_ROWS = 65_536
"""Quantiles are exact up to so many rows; beyond, they come from a uniform sample of so many, whose
1 % quantile has a rank within 0.92 % and 1.08 % in 19 of 20 cases."""


class Accumulator:
    """Gathers Statistics piece by piece in bounded memory; pieces can be merged.

    Args:
        units: One per dimension.
        alone: Dimensions that are not to be scaled.
        seed: Decides which rows are kept for quantiles where `add` is given nothing that does; give
            each part that will be merged its own.
    """

    def __init__(
        self, units: Sequence[str], alone: Sequence[bool] | None = None, seed: int = 0
    ) -> None:
        self.units = tuple(units)
        self.alone = tuple(alone) if alone is not None else (False,) * len(self.units)
        if len(self.alone) != len(self.units):
            raise ValueError(
                f"units and alone must have one length, got {len(self.units)} and "
                f"{len(self.alone)}."
            )
        size = len(self.units)
        self._count = 0
        self._mean = np.zeros(size)
        self._squares = np.zeros(size)
        self._low = np.full(size, np.inf)
        self._high = np.full(size, -np.inf)
        self._kept = [np.zeros((0, size), np.float32)]
        self._ranks = [np.zeros(0)]
        self._held = 0
        self._limit = np.inf
        self._rng = np.random.default_rng(seed)

    @classmethod
    def of(cls, numbers: "NumericStream | ActionGroup", seed: int = 0) -> "Accumulator":
        """An accumulator for one stream or action group of a body; grippers are left alone."""
        if isinstance(numbers, EgoHistory):
            return cls(("m", "m", "rad"), seed=seed)
        if isinstance(numbers, Route):
            return cls(("m", "m"), seed=seed)
        return cls(numbers.units, left_alone(numbers), seed=seed)

    def __len__(self) -> int:
        return self._count

    @property
    def rows(self) -> np.ndarray:
        """Those that are kept for quantiles, float32 (rows, n), in the order they came."""
        self._settle()
        return self._kept[0]

    def add(
        self,
        values: np.ndarray,
        valid: np.ndarray | None = None,
        rng: np.random.Generator | None = None,
    ) -> None:
        """Take in rows.

        Args:
            values: (..., n).
            valid: bool (...); rows that are not valid are left out.
            rng: Decides which rows are kept for quantiles. Give each piece its own, and what is
                kept does not depend on who took in which piece.

        Raises:
            BadData: if a valid value is not finite.
        """
        rows = np.asarray(values)
        if rows.shape[-1:] != (len(self.units),):
            raise ValueError(f"Expected rows of {len(self.units)} numbers, got {rows.shape}.")
        rows = rows[valid] if valid is not None else rows.reshape(-1, rows.shape[-1])
        if not len(rows):
            return
        if not np.isfinite(rows).all():
            place = np.argwhere(~np.isfinite(rows))[0]
            raise BadData(
                f"Expected finite numbers, got {rows[tuple(place)]} in dimension {place[1]} of row "
                f"{place[0]}. Mark such rows invalid or leave their episode out."
            )
        exact = rows.astype(np.float64)
        mean = exact.mean(axis=0)
        self._take(
            len(rows),
            mean,
            np.square(exact - mean).sum(axis=0),
            exact.min(axis=0),
            exact.max(axis=0),
        )
        self._keep(rows.astype(np.float32), (rng or self._rng).random(len(rows)))

    def merge(self, other: "Accumulator") -> None:
        """Take in all that another accumulator of the same units has seen."""
        if (self.units, self.alone) != (other.units, other.alone):
            raise ValueError(f"Cannot merge {other.units} into {self.units}.")
        if other._count:
            self._take(other._count, other._mean, other._squares, other._low, other._high)
            other._settle()
            self._keep(other._kept[0], other._ranks[0])

    def finish(self) -> Statistics:
        """The statistics of everything taken in.

        Raises:
            BadData: if no valid row came.
        """
        return combine([self], [1.0])

    def arrays(self) -> dict[str, np.ndarray]:
        """All that is known, as arrays to store."""
        self._settle()
        return {
            "count": np.array(self._count),
            "mean": self._mean,
            "squares": self._squares,
            "low": self._low,
            "high": self._high,
            "rows": self._kept[0],
            "ranks": self._ranks[0],
        }

    def load(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Become what `arrays` gave."""
        self._count = int(arrays["count"])
        self._mean, self._squares = arrays["mean"], arrays["squares"]
        self._low, self._high = arrays["low"], arrays["high"]
        self._kept, self._ranks = [arrays["rows"]], [arrays["ranks"]]
        self._held, self._limit = len(arrays["ranks"]), np.inf

    def _take(
        self,
        count: int,
        mean: np.ndarray,
        squares: np.ndarray,
        low: np.ndarray,
        high: np.ndarray,
    ) -> None:
        total = self._count + count
        step = mean - self._mean
        self._squares = self._squares + squares + np.square(step) * (self._count * count / total)
        self._mean = self._mean + step * (count / total)
        self._low, self._high = np.minimum(self._low, low), np.maximum(self._high, high)
        self._count = total

    def _keep(self, rows: np.ndarray, ranks: np.ndarray) -> None:
        """Keep the rows of smallest rank: a uniform sample of all rows, whatever the order."""
        if self._limit < np.inf:
            near = ranks < self._limit
            rows, ranks = rows[near], ranks[near]
        self._kept.append(rows)
        self._ranks.append(ranks)
        self._held += len(ranks)
        if self._held > 2 * SAMPLE_ROWS:
            self._settle()

    def _settle(self) -> None:
        if len(self._ranks) == 1 and self._held <= SAMPLE_ROWS:
            return
        rows, ranks = np.concatenate(self._kept), np.concatenate(self._ranks)
        if len(ranks) > SAMPLE_ROWS:
            kept = np.sort(np.argpartition(ranks, SAMPLE_ROWS)[:SAMPLE_ROWS])
            rows, ranks = rows[kept], ranks[kept]
            self._limit = float(ranks.max())
        self._kept, self._ranks, self._held = [rows], [ranks], len(ranks)


def combine(parts: Sequence[Accumulator], weights: Sequence[float]) -> Statistics:
    """Statistics of a mixture in which each part stands with its weight, whatever its size.

    Args:
        parts: Data sets of one stream or action group.
        weights: How often each is drawn; only their ratios matter.

    Raises:
        BadData: if no part holds a valid row.
    """
    pairs = [(p, w) for p, w in zip(parts, weights, strict=True) if len(p) and w > 0]
    if not pairs:
        raise BadData(
            "Expected at least one valid row to make statistics from, got none. "
            "Check the masks, or declare the stream absent."
        )
    share = np.array([w for _, w in pairs]) / sum(w for _, w in pairs)
    means = np.array([p._mean for p, _ in pairs])
    mean = share @ means
    variance = share @ np.array([p._squares / p._count for p, _ in pairs])
    variance = variance + share @ np.square(means - mean)
    rows = np.concatenate([p.rows for p, _ in pairs])
    if len(pairs) == 1:
        q01, q99 = np.quantile(rows, [0.01, 0.99], axis=0)
    else:
        each = [
            np.full(len(p.rows), s / len(p.rows)) for (p, _), s in zip(pairs, share, strict=True)
        ]
        q01, q99 = _weighted_quantiles(rows, np.concatenate(each), (0.01, 0.99))
    first = pairs[0][0]
    return Statistics(
        count=sum(len(p) for p, _ in pairs),
        units=first.units,
        alone=first.alone,
        mean=_floats(mean),
        std=_floats(np.sqrt(variance)),
        low=_floats(np.min([p._low for p, _ in pairs], axis=0)),
        high=_floats(np.max([p._high for p, _ in pairs], axis=0)),
        q01=_floats(q01),
        q99=_floats(q99),
    )


def left_alone(numbers: "State | ActionGroup") -> tuple[bool, ...]:
    """Which dimensions are not scaled: a gripper's opening, and whether a task is done."""
    if isinstance(numbers, Gripper | Terminate):
        return (True,) * numbers.size
    return tuple(name == "opening" for name in numbers.names)


def _weighted_quantiles(
    rows: np.ndarray, weights: np.ndarray, at: tuple[float, ...]
) -> list[np.ndarray]:
    order = np.argsort(rows, axis=0, kind="stable")
    ordered = np.take_along_axis(rows, order, axis=0)
    reached = np.cumsum(weights[order], axis=0) - weights[order] / 2
    columns = range(rows.shape[1])
    return [np.array([np.interp(q, reached[:, i], ordered[:, i]) for i in columns]) for q in at]


def _floats(values: np.ndarray) -> tuple[float, ...]:
    return cast(tuple[float, ...], tuple(values.astype(np.float64).tolist()))
