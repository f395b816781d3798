"""Absolute errors in standard deviations, summed up row by row of a chunk."""

import numpy as np


class Sums:
    """Sums over samples and dimensions, one for each row.

    Args:
        rows: Rows h of a chunk.
    """

    def __init__(self, rows: int) -> None:
        self.error, self.count, self.samples = np.zeros(rows), np.zeros(rows), 0

    def add(self, error: np.ndarray, valid: np.ndarray) -> None:
        """Add the errors (n, h, a) of n samples where `valid` (n, h)."""
        self.error += np.where(valid[..., None], error, 0).sum(axis=(0, 2))
        self.count += valid.sum(axis=0) * error.shape[-1]
        self.samples += int(valid.any(axis=1).sum())

    @property
    def mean(self) -> float:
        """Over everything that was added; NaN if that is nothing."""
        return mean_of([self])

    @property
    def by_row(self) -> tuple[float, ...]:
        """The mean of each row; NaN where nothing was added."""
        each = np.where(self.count, self.count, np.nan)
        return tuple((self.error / each).tolist())


def mean_of(parts: "list[Sums]") -> float:
    """The mean over several sums together, each number weighing the same."""
    count = sum(part.count.sum() for part in parts)
    return float(sum(part.error.sum() for part in parts) / count) if count else float("nan")
