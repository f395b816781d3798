"""Scale states and actions by the statistics of the data, without exploding.

A joint that hardly moves in the data (1 % to 99 % within a thousandth) would turn an ordinary value
into -3200; such dimensions are found and given a safe scale.

Source: Physical-Intelligence/openpi #814 (that explosion).
"""

import hashlib
from typing import Literal

import msgspec
import numpy as np

Kind = Literal["normal", "quantile"]

SMALLEST_SHARE = 1e-2
"""A dimension is never scaled up more than by this share of its widest sibling's scale."""
LARGEST_VALUE = 20.0
"""No value of the training data is ever scaled beyond this."""
_SMALLEST = 1e-8
"""Scale of what never changes, where statistics are taken as they are."""


class Statistics(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one stream or action group looks like in the data; one number per dimension."""

    count: int
    """How many valid rows."""
    units: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    q01: tuple[float, ...]
    q99: tuple[float, ...]
    alone: tuple[bool, ...]
    """Dimensions that are not scaled, such as a gripper's opening."""
    exact: bool = False
    """Whether near-constant dimensions are not guarded: weights that came from elsewhere were
    trained on numbers scaled just so."""

    @property
    def hash(self) -> str:
        """Hash of all the numbers."""
        return hashlib.sha256(msgspec.json.encode(self, order="deterministic")).hexdigest()[:16]

    def scale(self, kind: Kind) -> tuple[np.ndarray, np.ndarray]:
        """How to scale: (values - offset) / scale.

        Args:
            kind: "normal" gives mean 0 and standard deviation 1; "quantile" brings the 1 % and 99 %
                quantiles to -1 and 1. Near-constant dimensions are centred on their mean and
                divided by a safe scale; dimensions left alone have offset 0 and scale 1.

        Returns:
            offset and scale, float32 (n,); every scale is above 0.
        """
        offset, scale = self._plain(kind)
        mean, near = np.array(self.mean), self.near_constant(kind)
        safe = np.full_like(scale, _SMALLEST) if self.exact else self._safe(scale, mean)
        offset, scale = np.where(near, mean, offset), np.where(near, safe, scale)
        alone = np.array(self.alone)
        offset, scale = np.where(alone, 0.0, offset), np.where(alone, 1.0, scale)
        return offset.astype(np.float32), scale.astype(np.float32)

    def near_constant(self, kind: Kind) -> np.ndarray:
        """Which dimensions are guarded, bool (n,)."""
        offset, scale = self._plain(kind)
        if self.exact:
            return (scale < _SMALLEST) & ~np.array(self.alone)  # or dividing gives no number
        return (scale < self._safe(scale, offset)) & ~np.array(self.alone)

    def _plain(self, kind: Kind) -> tuple[np.ndarray, np.ndarray]:
        if kind == "normal":
            return np.array(self.mean), np.array(self.std)
        if kind == "quantile":
            low, high = np.array(self.q01), np.array(self.q99)
            return (low + high) / 2, (high - low) / 2
        raise ValueError(f"kind must be 'normal' or 'quantile', got {kind!r}.")

    def _safe(self, scale: np.ndarray, centre: np.ndarray) -> np.ndarray:
        """The smallest scale allowed about a centre, (n,).

        Siblings are the dimensions of the same unit: metres say nothing about radians.
        """
        units = np.array(self.units)
        widest = np.array([scale[units == unit].max() for unit in self.units])
        reach = np.maximum(np.array(self.high) - centre, centre - np.array(self.low))
        safe = np.maximum(SMALLEST_SHARE * widest, reach / LARGEST_VALUE)
        return np.where(safe < 1e-6, 1.0, safe)


class BodyStatistics(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The statistics of everything numeric that one body sees and does."""

    observation: dict[str, Statistics]
    """By stream; images, words and commands have none."""
    action: dict[str, Statistics]
    """By action group."""
    apart: dict[str, "BodyStatistics"] = {}
    """Those of each data set by its name, where several were merged and are also kept apart."""
    of: str = ""
    """The data set that they are of, where it is one of several kept apart."""

    @property
    def hash(self) -> str:
        """Hash of all the numbers."""
        return hashlib.sha256(msgspec.json.encode(self, order="deterministic")).hexdigest()[:16]
