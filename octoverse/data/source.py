"""What a data set offers: episodes of one body, and how long they are."""

from typing import Protocol, runtime_checkable

import numpy as np

from octoverse import registry
from octoverse.embodiment import Embodiment
from octoverse.episode import Episode
from octoverse.errors import BadData


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


def check_lengths(source: Source, episode: Episode) -> None:
    """Raise BadData unless every stream and action group has one value per time step."""
    for side in (episode.observation, episode.action):
        for name, values in side.items():
            if len(values) != len(episode):
                raise BadData(
                    f"{source.name}, episode {episode.key}, '{name}': expected {len(episode)} "
                    f"values, got {len(values)}. The recording was probably cut short."
                )
