"""Decoded images of opened episodes, and which of them are kept."""

from collections import OrderedDict
from collections.abc import Callable, Hashable

import numpy as np

from octoverse.data.opened import OpenedEpisode
from octoverse.embodiment import GoalImage
from octoverse.errors import BadData
from octoverse.preprocess import Preprocess


class PictureCache:
    """Keeps the decoded images that were used last, up to so many bytes."""

    def __init__(self, limit: int) -> None:
        self.limit, self.nbytes = limit, 0
        self._held: OrderedDict[Hashable, np.ndarray] = OrderedDict()

    def __len__(self) -> int:
        return len(self._held)

    def get(self, key: Hashable, make: Callable[[], np.ndarray]) -> np.ndarray:
        """The image of this key, decoded where it is not held."""
        found = self._held.get(key)
        if found is not None:
            self._held.move_to_end(key)
            return found
        made = make()
        if made.nbytes <= self.limit:
            self._held[key] = made
            self.nbytes += made.nbytes
            while self.nbytes > self.limit:
                self.nbytes -= self._held.popitem(last=False)[1].nbytes
        return made


def picture_of(opened: OpenedEpisode, preprocess: Preprocess, name: str, step: int) -> np.ndarray:
    """Decode one image of an opened episode.

    Raises:
        BadData: if it cannot be read, saying where it stands.
    """
    stream = opened.body.observation[name]
    camera = stream.camera if isinstance(stream, GoalImage) else name
    role = opened.body.cameras[camera].role
    try:
        return preprocess.decoded(role, opened.episode.observation[name][step])
    except BadData as error:
        episode = opened.episode
        raise BadData(
            f"'{episode.source}', episode {episode.key}, '{name}' at step {step}: {error}"
        ) from error
