"""Lay an episode out as the columns of a LeRobot table."""

import io
from collections.abc import Sequence
from typing import cast

import numpy as np

from octoverse.data import png
from octoverse.data.lerobot import format as form
from octoverse.embodiment import Embodiment, Instruction
from octoverse.episode import Episode


def columns(
    episode: Episode, description: form.Description, info: form.Info
) -> tuple[dict[str, np.ndarray], dict[str, Sequence[bytes | np.ndarray]]]:
    """The columns of an episode.

    Returns:
        Feature to (t, ...) numbers, and camera feature to t images: encoded where they go into
        the table, as they are given where they go into a video.
    """
    count = len(episode)
    numbers: dict[str, list[np.ndarray]] = {}
    images: dict[str, Sequence[bytes | np.ndarray]] = {}
    for parts, given in (
        (description.observation, episode.observation),
        (description.action, episode.action),
    ):
        for name, part in parts.items():
            if part.feature == "task":
                continue
            feature = info.features[part.feature]
            if feature.dtype == "image":
                images[part.feature] = [_encoded(image) for image in given[name]]
                continue
            if feature.dtype == "video":
                images[part.feature] = cast(Sequence[bytes | np.ndarray], given[name])
                continue
            values: np.ndarray = np.asarray(given[name], np.dtype(feature.dtype))
            numbers.setdefault(part.feature, []).append(values)
    columns = {
        key: (parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-1)).reshape(
            count, *info.features[key].shape
        )
        for key, parts in numbers.items()
    }
    for masks, known in (
        (description.observation_valid, episode.observation_valid),
        (description.action_valid, episode.action_valid),
    ):
        for name, part in masks.items():
            shape = (count, *info.features[part.feature].shape)
            valid = np.asarray(known.get(name, np.ones(shape, bool)))
            columns[part.feature] = valid.reshape(shape)
    return columns, images


def words(episode: Episode, description: form.Description, body: Embodiment) -> list[str]:
    """What is said at each step; nothing where the recording has no instruction."""
    for name in description.observation:
        if isinstance(body.observation[name], Instruction):
            return list(episode.observation[name])
    return [""] * len(episode)


def _encoded(image: bytes | np.ndarray) -> bytes:
    return png.encode(image) if isinstance(image, np.ndarray) else image


def image_shape(image: bytes | np.ndarray) -> tuple[int, ...]:
    """(h, w, 3) of an image, encoded or not."""
    if isinstance(image, np.ndarray):
        return image.shape
    from PIL import Image

    with Image.open(io.BytesIO(image)) as opened:
        return (opened.height, opened.width, 3)
