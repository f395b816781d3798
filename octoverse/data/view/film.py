"""One camera of an episode as a small film that every browser plays, a frame for each step."""

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np

from octoverse.data.lerobot.format import VideoFormat
from octoverse.data.lerobot.segment import encode_segment
from octoverse.preprocess import decode

HEIGHT = 360
"""Pixels; higher images are made smaller."""
FORMAT = VideoFormat(codec="libx264", group=12, quality=25)
"""Browsers seek exactly, and fast where the next frame that stands alone is near."""


def film(images: Sequence[Any], valid: np.ndarray, steps: Sequence[int], fps: float) -> str:
    """A film as a data address.

    Args:
        images: t images, encoded or arrays.
        valid: bool (t,); others are black.
        steps: Which of them are shown.
        fps: Frames per second.
    """
    first = int(np.argmax(valid)) if np.any(valid) else None
    shape = (2, 2, 3) if first is None else small(_array(images[first])).shape
    black = np.zeros(shape, np.uint8)
    frames = (small(_array(images[step])) if valid[step] else black for step in steps)
    made = encode_segment(frames, fps, FORMAT)
    return f"data:video/mp4;base64,{base64.b64encode(made.mp4).decode()}"


def small(image: np.ndarray) -> np.ndarray:
    """An image of at most HEIGHT, with even sides, uint8 (h, w, 3)."""
    from PIL import Image

    height, width = image.shape[:2]
    scale = min(1.0, HEIGHT / height)
    size = (max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2))
    if size == (width, height):
        return image
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))


def _array(image: bytes | np.ndarray) -> np.ndarray:
    return decode(image) if isinstance(image, bytes) else image
