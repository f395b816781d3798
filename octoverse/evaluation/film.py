"""Film an episode for people: the world from outside, with what the robot's cameras see."""

import io
from dataclasses import dataclass
from typing import Any

import av
import numpy as np

from octoverse.embodiment import Embodiment
from octoverse.evaluation.rollout import Moment

_GAP = 2
"""Pixels between pictures."""


@dataclass(frozen=True, kw_only=True)
class FilmConfig:
    """How an episode is filmed."""

    height: int = 240
    width: int = 320
    every: int = 1
    """Control steps between two pictures."""
    portrait_at: int | None = None
    """Step of which one large picture is kept."""
    portrait_height: int = 400
    portrait_width: int = 640


@dataclass(frozen=True, kw_only=True)
class Film:
    """What came of it."""

    mp4: bytes
    seconds: float
    """How long it plays."""
    portrait: np.ndarray | None
    """uint8 (height, width, 3)."""


class Camera:
    """Watches an episode; give its `watch` to `rollout.play`.

    Args:
        config: What is filmed.
        world: Has `view(height, width)`, as every World.
        body: Whose cameras are shown beside it.
    """

    def __init__(self, config: FilmConfig, world: Any, body: Embodiment) -> None:
        self._config, self._world, self._body = config, world, body
        self._pictures: list[np.ndarray] = []
        self._portrait: np.ndarray | None = None

    def watch(self, moment: Moment) -> None:
        """Take a picture, if it is time for one; the end of the episode is always in."""
        config = self._config
        cameras = [moment.frame[name] for name in self._body.cameras if name in moment.frame]
        if moment.step % config.every == 0 or moment.action is None:
            view = self._world.view(config.height, config.width)
            self._pictures.append(beside(view, cameras))
        if moment.step == config.portrait_at:
            view = self._world.view(config.portrait_height, config.portrait_width)
            self._portrait = inset(view, cameras)

    def film(self, pictures_per_second: float = 10.0) -> Film:
        """Compress what was seen; the last picture stays for a second."""
        pictures = self._pictures + self._pictures[-1:] * round(pictures_per_second)
        return Film(
            mp4=encode(pictures, pictures_per_second),
            seconds=len(pictures) / pictures_per_second,
            portrait=self._portrait,
        )


def beside(view: np.ndarray, cameras: list[np.ndarray]) -> np.ndarray:
    """Put the cameras' images (h, w, 3) into a column to the right of a view (height, width, 3)."""
    if not cameras:
        return view
    size = view.shape[0] // len(cameras)
    column = np.zeros((view.shape[0], size + size % 2, 3), np.uint8)
    for place, image in enumerate(cameras):
        top = place * size
        column[top : top + size - _GAP, _GAP:size] = _resized(image, size - _GAP, size - _GAP)
    return np.concatenate([view, column], axis=1)


def inset(view: np.ndarray, cameras: list[np.ndarray]) -> np.ndarray:
    """Lay the cameras' images, framed in white, over the upper right corner of a view."""
    picture, edge = view.copy(), 3
    size = view.shape[0] // 4
    top, right = 2 * edge, view.shape[1] - 2 * edge
    for place, image in enumerate(reversed(cameras)):
        left = right - (place + 1) * size - 2 * edge * place
        picture[top - edge : top + size + edge, left - edge : left + size + edge] = 255
        picture[top : top + size, left : left + size] = _resized(image, size, size)
    return picture


def encode(pictures: list[np.ndarray], pictures_per_second: float) -> bytes:
    """Compress pictures, uint8 (h, w, 3) with even sides, as H.264 that every browser plays."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=round(pictures_per_second))
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": "27", "preset": "fast", "threads": "1"}
        for picture in pictures:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return file.getvalue()


def _resized(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """The nearest pixel for each: enlarged, a robot's image keeps the look of what it is."""
    rows = np.arange(height) * image.shape[0] // height
    columns = np.arange(width) * image.shape[1] // width
    return image[rows[:, None], columns]
