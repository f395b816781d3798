"""How sure a success rate is.

Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
Journal of the American Statistical Association 22 (1927), 209-212.
"""

from math import sqrt
from typing import NamedTuple

_Z95 = 1.959964
"""Standard deviations of a normal distribution that hold 95 %."""


class Interval(NamedTuple):
    """Where the true rate is, with 95 % confidence."""

    low: float
    high: float


def wilson(successes: int, episodes: int, z: float = _Z95) -> Interval:
    """Wilson's score interval of a success rate; honest also near 0 and 1.

    Args:
        successes: Episodes that succeeded.
        episodes: Episodes that were played.
        z: Width in standard deviations; 1.96 for 95 %.

    Raises:
        ValueError: if there is no episode, or more successes than episodes.
    """
    if not 0 <= successes <= episodes or episodes < 1:
        raise ValueError(
            "an interval needs at least one episode and from none to all of them successful, got "
            f"{successes} of {episodes}."
        )
    rate, weight = successes / episodes, z * z / episodes
    middle = (rate + weight / 2) / (1 + weight)
    half = z / (1 + weight) * sqrt(rate * (1 - rate) / episodes + weight / (4 * episodes))
    # Rounding must not leave 0 and 1, nor exclude what was seen.
    return Interval(min(rate, max(0.0, middle - half)), max(rate, min(1.0, middle + half)))
