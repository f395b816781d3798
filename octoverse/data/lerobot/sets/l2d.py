"""Learning to Drive (L2D): German driving schools' cars, as drives (LeRobot v3.0).

Speeds are in km/h and headings in degrees clockwise from north, as yaak-ai/rmind documents the
signals that it is made of. Latitudes and longitudes are float32 and step by up to 0.4 m: ego motion
is the speed summed along the heading instead. Where the rear axle is to the antenna is not known.
Absent: calibration; pedals and commands (which way steering is positive and what the numbers of the
turn signal mean, the documentation does not say); the route (points of a map). The map's picture is
no camera. One front camera sits to the left of the middle.
Source: yaak-ai/L2D and its meta/info.json; huggingface/blog, lerobot-goes-to-driving-school.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from octoverse.data.dataset import DataSet
from octoverse.data.lerobot import format as form
from octoverse.data.lerobot.columns import rows_of
from octoverse.data.lerobot.layout import Layout, digest, layout_of
from octoverse.data.lerobot.metadata import Row, read_info
from octoverse.data.lerobot.reading import clip_frame
from octoverse.data.lerobot.times import times_ns
from octoverse.data.logs.drive import CameraLog, Drive, EgoMotion, Signal
from octoverse.data.logs.sets.opening import HELD_OUT, held_out
from octoverse.data.source import Images, Source
from octoverse.errors import BadData, UnknownName

VEHICLE = "observation.state.vehicle"
WORDS = "task.instructions"
_CAMERAS = {
    "front": "observation.images.front_left",
    "cross_left": "observation.images.left_forward",
    "cross_right": "observation.images.right_forward",
    "rear_left": "observation.images.left_backward",
    "rear_right": "observation.images.right_backward",
    "rear": "observation.images.rear",
}
"""Role to feature."""


@dataclass(frozen=True, kw_only=True)
class L2DReader:
    """Episodes of L2D, each a drive of some seconds."""

    folder: Path

    def keys(self) -> Sequence[str]:
        """The drives that there are, in order."""
        return tuple(self._rows)

    def drive(self, key: str) -> Drive:
        """Read one drive; its images are read when they are indexed.

        Raises:
            BadData: if it is damaged, or lacks the vehicle's state.
        """
        if key not in self._rows:
            raise UnknownName(f"drive of '{self.folder}'", key, self._rows)
        row = self._rows[key]
        rows = rows_of(self._layout.span(row))
        where = f"{rows.path}, episode {row.number}"
        if VEHICLE not in rows.names or len(rows) != row.length:
            raise BadData(
                f"{where}: expected {row.length} rows with '{VEHICLE}', got {len(rows)} with "
                f"{', '.join(rows.names)}. Fetch the file again, or give the folder of L2D."
            )
        kept = [name for name in ("timestamp", WORDS) if name in rows.names]
        table = rows.read([VEHICLE, *kept])
        at = times_ns(table, self._info.fps, where)
        state = np.array(table[VEHICLE].to_pylist(), np.float64)
        speed, heading = state[:, 0] / 3.6, np.pi / 2 - np.radians(state[:, 1])
        words = table[WORDS].to_pylist() if WORDS in kept else None
        return Drive(
            key=key,
            cameras={
                role: CameraLog(
                    times_ns=at,
                    images=Images(
                        row.length, partial(clip_frame, self._layout.clip(row, feature), row)
                    ),
                )
                for role, feature in _CAMERAS.items()
                if feature in self._info.features
            },
            ego=EgoMotion(
                times_ns=at, positions=summed(at, speed, heading), rotations=_about_z(heading)
            ),
            speed=Signal(times_ns=at, values=speed[:, None]),
            instruction=words and Signal(times_ns=at, values=[word or "" for word in words]),
        )

    def fingerprint(self) -> str:
        """Changes when the metadata or the size of a data file does."""
        return digest(self._layout, list(self._rows.values()), self._info)

    def __getstate__(self) -> dict[str, Any]:
        return {one.name: getattr(self, one.name) for one in fields(self)}

    @cached_property
    def _info(self) -> form.Info:
        return read_info(Path(self.folder))

    @cached_property
    def _layout(self) -> Layout:
        return layout_of(Path(self.folder), self._info)

    @cached_property
    def _rows(self) -> dict[str, Row]:
        return {f"{row.number:06d}": row for row in self._layout.episodes()}


def summed(at_ns: np.ndarray, speed: np.ndarray, heading: np.ndarray) -> np.ndarray:
    """Positions from speeds along headings, from the origin on.

    Args:
        at_ns: int64 (n,).
        speed: (n,) [m/s].
        heading: (n,), from x to y [rad].

    Returns:
        (n, 3) [m], in a plane.
    """
    velocity = speed[:, None] * np.stack([np.cos(heading), np.sin(heading)], axis=1)
    steps = np.diff(at_ns)[:, None] / 1e9 * (velocity[1:] + velocity[:-1]) / 2
    found = np.zeros((len(at_ns), 3))
    found[1:, :2] = np.cumsum(steps, axis=0)
    return found


def _about_z(heading: np.ndarray) -> np.ndarray:
    found = np.zeros((len(heading), 3, 3))
    found[:, 0, 0] = found[:, 1, 1] = np.cos(heading)
    found[:, 1, 0], found[:, 0, 1] = np.sin(heading), -np.sin(heading)
    found[:, 2, 2] = 1.0
    return found


def _open(folder: str, split: str) -> Source:
    return held_out("l2d", L2DReader(folder=Path(folder)), split)


L2D = DataSet(
    name="l2d",
    embodiment="passenger_car",
    open=_open,
    folder="L2D",
    splits=HELD_OUT,
    about="Yaak: German driving schools, six cameras, GPS and CAN, with instructions; Apache-2.0.",
)
