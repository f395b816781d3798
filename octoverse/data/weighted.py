"""How often each data set of a mixture is drawn."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from octoverse.data.source import Source
from octoverse.errors import BadConfig


@dataclass(frozen=True, kw_only=True)
class Weighted:
    """One source and how often it is drawn; only the ratios of weights matter."""

    source: Source
    weight: float = 1.0
    per_episode: int | None = None
    """Steps of one episode drawn in an epoch at most, others in each epoch; None for all of them.
    Keeps long episodes from standing for the whole data set."""

    def __post_init__(self) -> None:
        if not self.weight > 0 or not np.isfinite(self.weight):
            raise BadConfig(
                f"The weight of '{self.source.name}' must be above 0 and finite, got {self.weight}."
            )
        if self.per_episode is not None and self.per_episode < 1:
            raise BadConfig(
                f"per_episode of '{self.source.name}' must be at least 1, got {self.per_episode}."
            )

    def lengths(self) -> np.ndarray:
        """Steps of every episode that are drawn in an epoch, int64 (episodes,)."""
        lengths = self.source.lengths()
        return lengths if self.per_episode is None else np.minimum(lengths, self.per_episode)


def weigh(
    sources: Sequence[Source],
    by: Literal["frames", "episodes"],
    factors: Sequence[float] | None = None,
) -> list[Weighted]:
    """Weigh sources by their size.

    Args:
        sources: What to draw from.
        by: Every frame equally often, or every episode.
        factors: Makes some of them more or less frequent than their size says; 1 unless given.
    """
    factors = [1.0] * len(sources) if factors is None else factors
    return [
        Weighted(
            source=source,
            weight=factor * float(source.lengths().sum() if by == "frames" else len(source)),
        )
        for source, factor in zip(sources, factors, strict=True)
    ]
