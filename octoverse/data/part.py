"""Some episodes of a source, as a source: what is trained on, or what is held out."""

from dataclasses import dataclass

import numpy as np

from octoverse.data.source import Source, check_index
from octoverse.episode import Episode

FEWEST = 5
"""Episodes that a source must have for some to be held out."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """The episodes from `first` to before `stop`."""

    source: Source
    first: int
    stop: int
    label: str

    @property
    def name(self) -> str:
        """How mixtures and reports call it."""
        return self.label

    @property
    def embodiment(self) -> str:
        """Name of the body that it was recorded with."""
        return self.source.embodiment

    def __len__(self) -> int:
        return self.stop - self.first

    def lengths(self) -> np.ndarray:
        """Steps of every episode, int64 (episodes,)."""
        return self.source.lengths()[self.first : self.stop]

    def fingerprint(self) -> str:
        """That of the whole, and which part."""
        return f"{self.source.fingerprint()}[{self.first}:{self.stop}]"

    def episode(self, index: int) -> Episode:
        """Open one episode; see `Source`."""
        check_index(self, index)
        return self.source.episode(self.first + index)


def hold_out(source: Source, share: float) -> tuple[Source, Source | None]:
    """Part a source into what is trained on and the last episodes, which are not.

    Args:
        source: The whole.
        share: Of the episodes that is held out, at least one of them.

    Returns:
        Both parts; the whole and None where the share is 0 or there are too few episodes.
    """
    count = len(source)
    if not share or count < FEWEST:
        return source, None
    stop = count - max(1, round(share * count))
    return (
        Part(source=source, first=0, stop=stop, label=f"{source.name}/train"),
        Part(source=source, first=stop, stop=count, label=f"{source.name}/held out"),
    )
