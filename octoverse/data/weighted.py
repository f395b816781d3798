"""How often each data set of a mixture is drawn."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np

from octoverse.data.source import Source
from octoverse.errors import BadConfig, BadData


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


class Skipped(msgspec.Struct, frozen=True, kw_only=True):
    """Something that could not be read and was left out."""

    source: str
    episode: int | None
    """None for the whole source."""
    message: str


def readable(
    sources: Sequence[Weighted], skip_bad: bool, world: int = 1
) -> tuple[list[Weighted], list[np.ndarray], list[Skipped]]:
    """Which sources can be opened.

    Args:
        sources: What is to be drawn from.
        skip_bad: Leave out those that cannot be opened, in place of an error.
        world: Ranks that share them: each needs a step of every source.

    Returns:
        Those that can, for each of them the steps of its episodes, and those that cannot.

    Raises:
        BadData: if one cannot be opened, or has nothing or an episode without a step.
    """
    kept, lengths, left_out = [], [], []
    for entry in sources:
        try:
            lengths.append(_lengths(entry.source, world))
            kept.append(entry)
        except BadData as error:
            if not skip_bad:
                raise
            message = str(error)
            left_out.append(Skipped(source=_name(entry.source), episode=None, message=message))
    if not kept:
        raise BadData(f"No source can be read: {left_out[0].message}")
    return kept, lengths, left_out


def _name(source: Source) -> str:
    """What to call a source that cannot be opened, which may not even know its name."""
    try:
        return source.name
    except BadData:
        return type(source).__name__


def _lengths(source: Source, world: int) -> np.ndarray:
    sizes = source.lengths()
    empty = np.flatnonzero(sizes < 1)
    if empty.size:
        raise BadData(
            f"'{source.name}': expected at least one time step in every episode, got none in "
            f"episode {empty[0]}. Leave it out of the data set."
        )
    if sizes.sum() < world:
        raise BadData(
            f"'{source.name}': expected at least {world} steps (one per rank), got "
            f"{sizes.sum()}. Leave it out of the mixture, or record more."
        )
    return sizes
