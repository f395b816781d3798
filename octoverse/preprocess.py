"""Make every camera's image what the trunk expects: decode, resize, and jitter in training.

Training workers and the server build the same object from the checkpoint's config, so that the two
cannot drift apart.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import simplejpeg
from PIL import Image, UnidentifiedImageError

from octoverse.augmentation import Augmentation, Jitter
from octoverse.embodiment import Camera, Embodiment, GoalImage, Instruction
from octoverse.episode import Frame
from octoverse.errors import BadData, UnknownName

Filter = Literal["area", "bilinear", "bicubic", "lanczos3"]

_FILTERS = {
    "area": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos3": Image.Resampling.LANCZOS,
}


@dataclass(frozen=True, kw_only=True)
class ImageSize:
    """The size of images of one camera role, in pixels."""

    role: str
    height: int
    width: int


@dataclass(frozen=True, kw_only=True)
class PreprocessConfig:
    """Settings of Preprocess."""

    height: int = 64
    """Height of images whose role is not in `sizes`, in pixels."""
    width: int = 64
    """Width of images whose role is not in `sizes`, in pixels."""
    sizes: tuple[ImageSize, ...] = ()
    filter: Filter = "area"
    """How images are resized; each averages over what it shrinks (no aliasing)."""
    augmentation: Augmentation = field(default_factory=Augmentation)
    """Of training images whose camera role is not in `augmentations`."""
    augmentations: Mapping[str, Augmentation] = field(default_factory=dict)
    """Camera roles that are changed in another way."""

    def __post_init__(self) -> None:
        named = [(s.height, s.width) for s in self.sizes]
        if min(min(size) for size in [(self.height, self.width), *named]) < 1:
            raise ValueError(f"Image sizes must be at least 1 pixel, got {self}.")
        if self.filter not in _FILTERS:
            raise UnknownName("resize filter", self.filter, _FILTERS)

    def size(self, role: str) -> tuple[int, int]:
        """(height, width) of images of this camera role."""
        for one in self.sizes:
            if one.role == role:
                return one.height, one.width
        return self.height, self.width


class Preprocess:
    """Decodes and resizes images; in training also jitters them."""

    def __init__(self, config: PreprocessConfig) -> None:
        self.config = config
        self._filter = _FILTERS[config.filter]

    def size(self, camera: Camera) -> tuple[int, int]:
        """(height, width) of this camera's images once they are prepared."""
        return self.config.size(camera.role)

    def image(self, camera: Camera, raw: bytes | np.ndarray) -> np.ndarray:
        """Decode one image where it is encoded, and resize it where its size differs.

        Args:
            camera: Its role decides the size.
            raw: JPEG or any file Pillow reads, or uint8 (h, w, 3) RGB of any size.

        Returns:
            uint8 (height, width, 3), RGB, contiguous.

        Raises:
            BadData: if it is no readable image.
        """
        return self._resize(camera.role, raw)

    def frame(self, body: Embodiment, frame: Frame) -> Frame:
        """Bring one observation into the form that tokenizers read.

        Images are decoded and resized, numbers become float32 arrays (indices int64); words stay.
        """
        found: dict[str, Any] = {}
        for name, value in frame.items():
            if name not in body.observation:
                raise UnknownName(f"stream of '{body.name}'", name, body.observation)
            stream = body.observation[name]
            if isinstance(stream, Camera):
                found[name] = self._resize(stream.role, value)
            elif isinstance(stream, GoalImage):
                found[name] = self._resize(body.cameras[stream.camera].role, value)
            elif isinstance(stream, Instruction):
                found[name] = value
            else:
                array = np.asarray(value)
                kind = np.float32 if array.dtype.kind == "f" else np.int64
                found[name] = np.asarray(array, dtype=kind, order="C")
        return found

    def augmentation(self, role: str) -> Augmentation:
        """How the training images of a camera are changed."""
        return self.config.augmentations.get(role, self.config.augmentation)

    def jitter(self, role: str, rng: np.random.Generator) -> Jitter:
        """Draw a change for a camera's images; for training only."""
        return self.augmentation(role).draw(role, rng)

    def decoded(self, role: str, raw: bytes | np.ndarray) -> np.ndarray:
        """Decode one image, and make it smaller where it is larger than what is wanted.

        What is worth keeping of an image: `finished` makes the rest of the way.

        Returns:
            uint8 (h, w, 3), RGB, of at most as many pixels as are wanted.

        Raises:
            BadData: if it is no readable image.
        """
        height, width = self.config.size(role)
        image = raw if isinstance(raw, np.ndarray) else decode(raw)
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise BadData(
                f"Camera '{role}': expected uint8 (height, width, 3), got {image.dtype} "
                f"{image.shape}. Convert to RGB from 0 to 255 before."
            )
        if image.shape[0] * image.shape[1] <= height * width:
            return image
        return np.asarray(Image.fromarray(image).resize((width, height), self._filter))

    def finished(self, role: str, image: np.ndarray, jitter: Jitter | None = None) -> np.ndarray:
        """Bring a decoded image to its final size, changed where a jitter is given.

        Returns:
            uint8 (height, width, 3), contiguous.
        """
        height, width = self.config.size(role)
        whole = jitter is None or jitter.box == (0.0, 0.0, 1.0, 1.0)
        if jitter is not None:
            image = jitter.colours(image)
        if not whole or image.shape[:2] != (height, width):
            picture, box = Image.fromarray(image), None
            if jitter is not None and not whole:
                wide, high = picture.size
                x, y, right, bottom = jitter.box
                box = (x * wide, y * high, right * wide, bottom * high)
            # A crop is enlarged by little: lanczos would take four times as long for nothing, and
            # "area" would show squares.
            between = self._filter if whole else Image.Resampling.BILINEAR
            image = np.asarray(picture.resize((width, height), between, box))
        if jitter is not None:
            image = jitter.moved(image)
        return np.ascontiguousarray(image)

    def _resize(self, role: str, raw: bytes | np.ndarray) -> np.ndarray:
        return self.finished(role, self.decoded(role, raw))


def size_of(raw: bytes | np.ndarray) -> tuple[int, int]:
    """(height, width) of an image, which is not decoded for it.

    Raises:
        BadData: if it is no readable image.
    """
    if isinstance(raw, np.ndarray):
        return raw.shape[0], raw.shape[1]
    try:
        with Image.open(io.BytesIO(raw)) as image:
            return image.height, image.width
    except (ValueError, OSError, SyntaxError) as error:
        raise _unreadable(raw, error) from error


def decode(raw: bytes) -> np.ndarray:
    """Decode a JPEG, PNG or other image file.

    Returns:
        uint8 (h, w, 3), RGB; grey images are repeated over the three channels.

    Raises:
        BadData: if it is no readable image.
    """
    try:
        if raw[:3] == b"\xff\xd8\xff":
            return simplejpeg.decode_jpeg(raw, colorspace="RGB")
        with Image.open(io.BytesIO(raw)) as image:
            return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))
    except (ValueError, OSError, SyntaxError) as error:
        raise _unreadable(raw, error) from error


def _unreadable(raw: bytes, error: Exception) -> BadData:
    unknown = isinstance(error, UnidentifiedImageError)  # its words hold an address
    why = "no known format" if unknown else error
    return BadData(
        f"Expected an encoded image (JPEG, PNG), got {len(raw)} bytes that start with "
        f"{bytes(raw[:8])!r}: {why}. The file is probably truncated; fetch it again."
    )
