"""Change training images at random: light, colour, crop and shift.

One draw holds for a camera's whole window and its goal image, so that what moves between two frames
is still what moved.

Source: the settings are those of Octo's pre-training (octo-models/octo, 2024); colours are turned
in YIQ as in Haeberli, "Matrix Operations for Image Processing", 1993.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image

_LUMA = np.array([0.299, 0.587, 0.114])
_YIQ = np.array([_LUMA, [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """How far training images are changed at random; all off by default."""

    brightness: float = 0.0
    """Largest change of every pixel, as a share of full white."""
    contrast: float = 0.0
    """Largest relative change of the distance from mid-grey."""
    saturation: float = 0.0
    """Largest relative change of the distance from grey of the same lightness."""
    hue: float = 0.0
    """Largest turn of all colours, as a share of the full circle."""
    crop: float = 0.0
    """Largest share of the picture's area that is cut away before it is enlarged again."""
    aspect: float = 0.0
    """Largest relative change of a crop's width over its height."""
    shift: int = 0
    """Largest shift of the picture in pixels, each way; the border is repeated."""
    steady: tuple[str, ...] = ()
    """Camera roles that are never shifted or cropped: a few pixels can be centimetres for a precise
    grasp."""

    def __post_init__(self) -> None:
        if min(self.brightness, self.contrast, self.shift) < 0 or self.contrast >= 1:
            raise ValueError(
                "brightness and shift must be at least 0 and contrast in [0, 1), got "
                f"{self.brightness}, {self.shift} and {self.contrast}."
            )
        if not 0 <= self.saturation <= 1 or not 0 <= self.hue <= 0.5:
            raise ValueError(
                f"saturation must be in [0, 1] and hue in [0, 0.5], got {self.saturation} and "
                f"{self.hue}."
            )
        if not 0 <= self.crop < 1 or not 0 <= self.aspect < 1:
            raise ValueError(
                f"crop and aspect must be in [0, 1), got {self.crop} and {self.aspect}."
            )

    @property
    def active(self) -> bool:
        """Whether anything is changed at all."""
        return self != Augmentation(aspect=self.aspect, steady=self.steady)

    def draw(self, role: str, rng: np.random.Generator) -> "Jitter":
        """One change for one camera; every call draws the same count of numbers.

        Args:
            role: The camera's role.
            rng: Decides it.
        """
        light, contrast, saturation, hue, down, right = rng.uniform(-1.0, 1.0, 6)
        area, aspect, top, left = rng.uniform(0.0, 1.0, 4)
        moves = role not in self.steady
        return Jitter(
            light=light * self.brightness,
            contrast=1.0 + contrast * self.contrast,
            saturation=1.0 + saturation * self.saturation,
            hue=hue * self.hue,
            box=self._box(area, aspect, top, left) if moves else _WHOLE,
            shift=(round(down * self.shift), round(right * self.shift)) if moves else (0, 0),
        )

    def _box(
        self, area: float, aspect: float, top: float, left: float
    ) -> tuple[float, float, float, float]:
        if not self.crop:
            return _WHOLE
        kept, stretch = 1.0 - self.crop * area, 1.0 + self.aspect * (2 * aspect - 1)
        width, height = min(1.0, np.sqrt(kept * stretch)), min(1.0, np.sqrt(kept / stretch))
        x, y = (1 - width) * left, (1 - height) * top
        return float(x), float(y), float(x + width), float(y + height)


_WHOLE = (0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True, kw_only=True)
class Jitter:
    """One change, the same for all images that it is applied to."""

    light: float = 0.0
    contrast: float = 1.0
    saturation: float = 1.0
    hue: float = 0.0
    box: tuple[float, float, float, float] = _WHOLE
    """Left, top, right, bottom of what is kept, in shares of the picture."""
    shift: tuple[int, int] = (0, 0)
    """Down and right [pixel]."""

    def colours(self, image: np.ndarray) -> np.ndarray:
        """Change light and colour.

        Args:
            image: uint8 (h, w, 3).

        Returns:
            The same shape; the image itself where nothing is to change.
        """
        offset = 127.5 * (1.0 - self.contrast) + 255.0 * self.light
        if self.saturation == 1.0 and self.hue == 0.0:
            if offset == 0.0 and self.contrast == 1.0:
                return image
            table = np.rint(np.arange(256) * self.contrast + offset)
            changed: np.ndarray = np.clip(table, 0, 255).astype(np.uint8)[image]
            return changed
        matrix = self._turn() * self.contrast
        rows = [value for row in matrix for value in (*row.tolist(), offset)]
        return np.asarray(Image.fromarray(image).convert("RGB", tuple(rows)))

    def moved(self, image: np.ndarray) -> np.ndarray:
        """Shift a picture of its final size, (h, w, 3)."""
        if self.shift == (0, 0):
            return image
        rows = np.arange(image.shape[0]) + self.shift[0]
        columns = np.arange(image.shape[1]) + self.shift[1]
        return image.take(rows, axis=0, mode="clip").take(columns, axis=1, mode="clip")

    def _turn(self) -> np.ndarray:
        """Saturation and hue as one matrix (3, 3); grey stays as it is."""
        angle = 2 * np.pi * self.hue
        cos, sin = np.cos(angle) * self.saturation, np.sin(angle) * self.saturation
        inner = np.array([[1.0, 0.0, 0.0], [0.0, cos, sin], [0.0, -sin, cos]])
        found: np.ndarray = np.linalg.solve(_YIQ, inner @ _YIQ)
        return found
