"""Read drives of Udacity's behavioural cloning simulator: driving_log.csv and its images.

The simulator counts steering to the right as positive (1 is 25 degrees; Unity's vertical axis turns
clockwise), speed in miles an hour, and writes the time of a row into the names of its images. Here
left is positive, and the brake is negative throttle.

Source: udacity/self-driving-car-sim, CarController.cs (steering, speed, columns, names of images).
"""

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from octoverse.data.logs.csv_table import numbers, read_csv
from octoverse.data.logs.drive import CameraLog, Drive, Signal
from octoverse.data.logs.files import fingerprint_of, image_files
from octoverse.errors import BadData

ROLES = {"center": "front", "left": "front_left", "right": "front_right"}
"""Columns with images, and the cameras they are of: side by side on the bonnet, looking ahead."""
MILES_AN_HOUR = 0.44704
"""In m/s."""
_COLUMNS = ("center", "left", "right", "steering", "throttle", "brake", "speed")
_TIME = re.compile(r"(\d{4}(?:_\d{2}){5})_(\d{3})\.\w+$")


@dataclass(frozen=True, kw_only=True)
class UdacityReader:
    """Recordings of the simulator, keyed by their folders' names."""

    folder: Path
    """Holds driving_log.csv and IMG, or folders that do."""

    def keys(self) -> list[str]:
        """Every recording, in order of their names."""
        return list(self._logs())

    def drive(self, key: str) -> Drive:
        """Read one recording.

        Raises:
            BadData: if its table is missing or damaged.
        """
        path = self._logs()[key]
        table = read_csv(path, _COLUMNS, _COLUMNS)
        values = {k: numbers(path, k, table[k]) for k in ("steering", "throttle", "brake", "speed")}
        times = np.array([_time(path, name) for name in table["center"]], np.int64)
        pedals = np.stack([-values["steering"], values["throttle"] - values["brake"]], axis=1)
        cameras = {}
        for column, role in ROLES.items():
            if all(table[column]):
                # The log holds the paths of the machine that it was made on.
                names = [re.split(r"[\\/]", name)[-1] for name in table[column]]
                files = image_files([path.parent / "IMG" / name for name in names], path)
                cameras[role] = CameraLog(times_ns=times, images=files)
        return Drive(
            key=key,
            cameras=cameras,
            speed=Signal(times_ns=times, values=values["speed"][:, None] * MILES_AN_HOUR),
            pedals=Signal(times_ns=times, values=pedals),
        )

    def fingerprint(self) -> str:
        """Hash of the tables."""
        logs = self._logs()
        told = (list(logs), fingerprint_of(Path(self.folder), logs.values()))
        return hashlib.sha256(repr(told).encode()).hexdigest()[:16]

    def _logs(self) -> dict[str, Path]:
        found = sorted(Path(self.folder).rglob("driving_log.csv"))
        if not found:
            raise BadData(
                f"{self.folder}: expected driving_log.csv of Udacity's simulator, found none. "
                "Give the folder that holds the recordings, unpacked."
            )
        return {path.parent.name: path for path in found}


def _time(path: Path, name: str) -> int:
    """Nanoseconds since 1970 of center_2016_12_01_13_30_48_287.jpg, as if it were UTC."""
    stamp = _TIME.search(name)
    try:
        assert stamp is not None
        second = datetime.strptime(stamp[1], "%Y_%m_%d_%H_%M_%S").replace(tzinfo=UTC)
    except (AssertionError, ValueError) as error:
        raise BadData(
            f"{path}: expected images named like center_2016_12_01_13_30_48_287.jpg, got '{name}'. "
            "Without their times the rows cannot be joined; keep the simulator's names."
        ) from error
    return (int(second.timestamp()) * 1000 + int(stamp[2])) * 1_000_000
