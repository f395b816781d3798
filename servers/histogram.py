"""How often a figure was how large, in constant memory."""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate, pairwise


class Histogram:
    """Counts values between bounds; one thread may add while others look.

    Args:
        bounds: What parts the values, ascending; a value that equals a bound lies below it.

    Raises:
        ValueError: unless the bounds ascend.
    """

    def __init__(self, bounds: Sequence[float]) -> None:
        if not bounds or any(above <= below for below, above in pairwise(bounds)):
            raise ValueError(f"bounds must ascend, got {list(bounds)}.")
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(bounds) + 1)
        """Of the values between two bounds; the last are those above all bounds."""
        self.sum = 0.0
        """Of all values."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Histogram) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]  # it changes

    def add(self, value: float) -> None:
        """Count one value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    @property
    def count(self) -> int:
        """How many values there were."""
        return sum(self.counts)

    def copy(self) -> "Histogram":
        """Give one that stays as this one is now."""
        copy = Histogram(self.bounds)
        copy.counts, copy.sum = [*self.counts], self.sum
        return copy

    def plus(self, other: "Histogram") -> "Histogram":
        """Give the values of both; their bounds are the same."""
        both = self.copy()
        both.counts = [one + two for one, two in zip(self.counts, other.counts, strict=True)]
        both.sum += other.sum
        return both

    def since(self, earlier: "Histogram") -> "Histogram":
        """Give the values added after the earlier copy of it."""
        later = self.copy()
        later.counts = [now - then for now, then in zip(self.counts, earlier.counts, strict=True)]
        later.sum -= earlier.sum
        return later

    def quantile(self, share: float) -> float | None:
        """Guess the value that this share of all values is not above, None if there is none.

        Between two bounds values are taken to lie evenly, and none above the last bound.
        """
        wanted = share * self.count
        if not self.count:
            return None
        edges = (0.0, *self.bounds, self.bounds[-1])
        for place, (count, reached) in enumerate(
            zip(self.counts, accumulate(self.counts), strict=True)
        ):
            if count and reached >= wanted:
                part = (wanted - (reached - count)) / count
                return edges[place] + part * (edges[place + 1] - edges[place])
        return edges[-1]


def seconds() -> Histogram:
    """Give one for times [s], from a tenth of a millisecond to ten seconds."""
    return Histogram([m * 10.0**e for e in (-4, -3, -2, -1, 0) for m in (1, 2.5, 5)] + [10.0])


def sizes() -> Histogram:
    """Give one for how many there are of something, from 1 to 256."""
    return Histogram([2.0**e for e in range(9)])
