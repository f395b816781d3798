"""What a driving log has, in one form: everything at its own clock, in SI units.

Readers of log formats give a `Drive`; what the log lacks is None or empty. `DriveSource` joins its
signals by time stamp into episodes of a body.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from octoverse.episode import Calibration


@dataclass(frozen=True, kw_only=True)
class Signal:
    """Numbers or words with their times."""

    times_ns: np.ndarray
    """int64 (n,), increasing."""
    values: Sequence[Any] | np.ndarray
    """(n, ...) numbers, or n strings."""


@dataclass(frozen=True, kw_only=True)
class CameraLog:
    """One camera."""

    times_ns: np.ndarray
    """int64 (n,), increasing."""
    images: Sequence[Any]
    """n images, encoded or as arrays, read when they are indexed."""
    calibration: Calibration | None = None
    """Extrinsics lead to the rear-axle frame (x forward, y left, z up)."""


@dataclass(frozen=True, kw_only=True)
class EgoMotion:
    """Where the rear axle was: in a fixed frame with z up that begins anywhere."""

    times_ns: np.ndarray
    """int64 (n,), increasing."""
    positions: np.ndarray
    """float64 (n, 3) [m]."""
    rotations: np.ndarray
    """float64 (n, 3, 3): from the vehicle's frame (x forward, y left, z up) to the fixed one."""


@dataclass(frozen=True, kw_only=True)
class Agents:
    """Boxes of other agents, one row for each time that one is seen, in order of time."""

    times_ns: np.ndarray
    """int64 (m,)."""
    identity: np.ndarray
    """str (m,)."""
    kind: np.ndarray
    """str (m,), in the log's words."""
    positions: np.ndarray
    """float64 (m, 3): middle of the box in EgoMotion's fixed frame [m]."""
    headings: np.ndarray
    """float64 (m,): about the fixed frame's z [rad]."""
    size: np.ndarray
    """float64 (m, 3): length, width, height [m]; zero where the log does not say."""
    velocity: np.ndarray
    """float64 (m, 2): in the fixed frame [m/s]; NaN where the log does not say."""


@dataclass(frozen=True, kw_only=True)
class TimedQuestion:
    """A question about a moment, with its answer, in words."""

    at_ns: int
    kind: str
    question: str
    answer: str


@dataclass(frozen=True, kw_only=True)
class Drive:
    """One continuous log of one vehicle."""

    key: str
    cameras: Mapping[str, CameraLog] = field(default_factory=dict)
    """By role, as in Camera.role: front, front_tele, cross_left, ..."""
    ego: EgoMotion | None = None
    speed: Signal | None = None
    """(n, 1), along x [m/s]."""
    steering: Signal | None = None
    """(n, 1): angle of the steering wheel, left positive [rad]."""
    pedals: Signal | None = None
    """(n, 2): steering (1 = full left) and throttle (negative = brake or reverse), as in Pedals."""
    command: Signal | None = None
    """n words: left, straight, right, unknown."""
    instruction: Signal | None = None
    """n texts, each from its time on."""
    agents: Agents | None = None
    questions: Sequence[TimedQuestion] = ()


class DriveReader(Protocol):
    """Reads one format of driving logs."""

    def keys(self) -> Sequence[str]:
        """The drives that there are, in order."""
        ...

    def drive(self, key: str) -> Drive:
        """Read one drive; its images are read when they are indexed.

        Raises:
            BadData: if it is damaged.
        """
        ...

    def fingerprint(self) -> str:
        """Changes when the logs change."""
        ...
