"""What a data set offers: episodes of one body, and how long they are."""

from typing import Protocol, runtime_checkable

import numpy as np

from octoverse import registry
from octoverse.embodiment import Embodiment
from octoverse.episode import Episode


@runtime_checkable
class Source(Protocol):
    """Episodes of one body, in its units and conventions; images stay encoded."""

    @property
    def name(self) -> str:
        """How mixtures and reports call it."""
        ...

    @property
    def embodiment(self) -> str:
        """Name of the body that it was recorded with."""
        ...

    def __len__(self) -> int:
        """How many episodes it has."""
        ...

    def lengths(self) -> np.ndarray:
        """Steps of every episode, int64 (episodes,), found without decoding images."""
        ...

    def episode(self, index: int) -> Episode:
        """Read one episode.

        Raises:
            BadData: if it is damaged.
        """
        ...

    def fingerprint(self) -> str:
        """Changes when the data or how it is read changes; what is derived may be kept under it."""
        ...


def body_of(source: Source) -> Embodiment:
    """The body that a source was recorded with."""
    body: Embodiment = registry.load("embodiment", source.embodiment)
    return body


def check_index(source: Source, index: int) -> None:
    """Raise IndexError unless the source has this episode."""
    if not 0 <= index < len(source):
        raise IndexError(f"'{source.name}' has episodes 0 to {len(source) - 1}, got {index}.")
