"""Decoded images of opened episodes."""

import numpy as np

from octoverse.data.opened import OpenedEpisode
from octoverse.embodiment import GoalImage
from octoverse.errors import BadData
from octoverse.preprocess import Preprocess


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
