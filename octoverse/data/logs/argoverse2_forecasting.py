"""Read Argoverse 2 motion forecasting: 11 s of tracks at 10 Hz, the recording car's among them.

That car is the track AV, and becomes the ego motion; it has no roll, pitch or height. The format
calls a track's position the middle of a box, but on turns the point of AV moves along its heading,
as that of the rear axle does, and it is taken for that. Its positions are smoothed: within half a
second of both ends they move slower or faster than its velocity says. The map is not read.

Source: argoverse/av2-api, src/av2/datasets/motion_forecasting/data_schema.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from octoverse.data.logs.arrow_table import read_columns
from octoverse.data.logs.drive import Agents, Drive, EgoMotion, Signal
from octoverse.data.logs.files import fingerprint_of
from octoverse.data.logs.rows import check_finite, check_increasing
from octoverse.errors import BadData, UnknownName
from octoverse.rotation import from_roll_pitch_yaw

EGO = "AV"
_NUMBERS = ("position_x", "position_y", "heading", "velocity_x", "velocity_y")
_CLOCK = ("start_timestamp", "end_timestamp", "num_timestamps")


@dataclass(frozen=True, kw_only=True)
class Argoverse2ForecastingReader:
    """The scenarios of one split."""

    folder: Path
    """Holds a folder for each scenario."""

    def keys(self) -> Sequence[str]:
        """The scenarios' names."""
        return self._keys

    def drive(self, key: str) -> Drive:
        """Read one scenario, what is to be forecast included.

        Raises:
            BadData: if it is damaged.
        """
        if key not in self._keys:
            raise UnknownName(f"scenario in {self.folder}", key, self._keys)
        path = self._path(key)
        table = read_columns(
            path, ("track_id", "object_type", "timestep", "object_category", *_NUMBERS, *_CLOCK)
        )
        if not len(table["timestep"]):
            raise BadData(f"{path}: expected tracks, found none. Fetch the scenario again.")
        numbers = np.stack([table[name] for name in _NUMBERS], axis=1)
        check_finite(path, ", ".join(_NUMBERS), numbers)
        order = np.argsort(table["timestep"], kind="stable")
        identity, numbers = table["track_id"].astype(str)[order], numbers[order]
        times = _times(path, table)[order]
        own = identity == EGO
        if not own.any():
            raise BadData(
                f"{path}: expected the recording car's track '{EGO}', found none among "
                f"{len(set(identity))} tracks. Fetch the scenario again."
            )
        check_increasing(path, f"the timestep of '{EGO}'", times[own])
        return Drive(
            key=key,
            ego=_ego(times[own], numbers[own]),
            speed=Signal(times_ns=times[own], values=_speed(numbers[own])),
            agents=_agents(
                times[~own],
                identity[~own],
                table["object_type"].astype(str)[order][~own],
                numbers[~own],
            ),
        )

    def fingerprint(self) -> str:
        """Hash of the tables."""
        return fingerprint_of(Path(self.folder), map(self._path, self._keys))

    def _path(self, key: str) -> Path:
        return Path(self.folder) / key / f"scenario_{key}.parquet"

    @cached_property
    def _keys(self) -> list[str]:
        found = sorted(path.parent.name for path in Path(self.folder).glob("*/scenario_*.parquet"))
        if not found:
            raise BadData(
                f"{self.folder}: expected folders of Argoverse 2 scenarios with "
                "scenario_*.parquet, found none. Give the folder of a split, such as train."
            )
        return found


def _times(path: Path, table: dict[str, np.ndarray]) -> np.ndarray:
    start, end, count = (float(table[name][0]) for name in _CLOCK)
    if not start < end or count < 2 or not (0 <= table["timestep"]).all():
        raise BadData(
            f"{path}: expected start_timestamp before end_timestamp and at least 2 of "
            f"num_timestamps, got {start:.0f}, {end:.0f} and {count:.0f}. Fetch it again."
        )
    since = np.round(table["timestep"] * ((end - start) / (count - 1))).astype(np.int64)
    return int(start) + since


def _ego(times: np.ndarray, numbers: np.ndarray) -> EgoMotion:
    heading = numbers[:, 2]
    level = np.zeros_like(heading)
    return EgoMotion(
        times_ns=times,
        positions=np.stack([numbers[:, 0], numbers[:, 1], level], axis=1),
        rotations=from_roll_pitch_yaw(level, level, heading),
    )


def _speed(numbers: np.ndarray) -> np.ndarray:
    heading = numbers[:, 2]
    ahead = numbers[:, 3] * np.cos(heading) + numbers[:, 4] * np.sin(heading)
    return ahead[:, None]


def _agents(
    times: np.ndarray, identity: np.ndarray, kind: np.ndarray, numbers: np.ndarray
) -> Agents:
    return Agents(
        times_ns=times,
        identity=identity,
        kind=kind,
        positions=np.concatenate([numbers[:, :2], np.zeros((len(times), 1))], axis=1),
        headings=numbers[:, 2],
        size=np.zeros((len(times), 3)),
        velocity=numbers[:, 3:5],
    )
