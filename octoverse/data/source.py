"""What a data set offers: episodes of one body, and how long they are."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, runtime_checkable

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
        """Open one episode: its numbers are read, its images only when they are indexed.

        Samples are cut at random, so opening must be cheap, and so must one image.

        Raises:
            BadData: if it is damaged. Indexing an image raises it too.
        """
        ...

    def fingerprint(self) -> str:
        """Changes when the data or how it is read changes; what is derived may be kept under it."""
        ...


class Images(Sequence[Any]):
    """Images of an episode, each read when it is indexed.

    Args:
        count: How many.
        read: From an index to an encoded image (bytes) or an array, uint8 (h, w, 3) RGB.
    """

    def __init__(self, count: int, read: Callable[[int], bytes | np.ndarray]) -> None:
        self._count, self._read = count, read

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self._read(i) for i in range(*index.indices(self._count))]
        if not -self._count <= index < self._count:
            raise IndexError(f"There are {self._count} images, got index {index}.")
        return self._read(int(index) % self._count)

    def __iter__(self) -> Iterator[Any]:
        return (self._read(i) for i in range(self._count))


def body_of(source: Source) -> Embodiment:
    """The body that a source was recorded with."""
    body: Embodiment = registry.load("embodiment", source.embodiment)
    return body


def check_index(source: Source, index: int) -> None:
    """Raise IndexError unless the source has this episode."""
    if not 0 <= index < len(source):
        raise IndexError(f"'{source.name}' has episodes 0 to {len(source) - 1}, got {index}.")
