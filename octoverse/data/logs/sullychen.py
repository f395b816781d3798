"""Read Sully Chen's driving data: a dashcam, and the angle of the steering wheel for each image.

A line is "12.jpg 3.5", or in the second data set "12.jpg 3.5,2018-07-01 17:09:44:912". Without
times the frames are taken to come 30 times a second, which nothing in the data says. Degrees to
the right are positive: the author's run.py turns its drawing of a wheel that way, while in these
images nothing shows it. Here left is positive.

Source: SullyChen/driving-datasets, README.md; SullyChen/Autopilot-TensorFlow, run.py.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from octoverse.data.logs.drive import CameraLog, Drive, Signal
from octoverse.data.logs.files import fingerprint_of, image_files
from octoverse.errors import BadData

_LINE = re.compile(
    r"(\S+\.jpg) +(-?\d+(?:\.\d+)?)(?:,(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d):(\d{1,3}))?", re.ASCII
)


@dataclass(frozen=True, kw_only=True)
class SullyChenReader:
    """One recording, keyed by its folder's name."""

    folder: Path
    """Holds data.txt and the images, or a folder "data" with them."""
    hz: float = 30.0
    """Rate of the frames where the lines have no times."""

    def keys(self) -> list[str]:
        """The one recording."""
        return [Path(self.folder).name]

    def drive(self, key: str) -> Drive:
        """Read the recording.

        Raises:
            BadData: if data.txt is missing or damaged.
        """
        path = self._table()
        lines = [line for line in path.read_text().splitlines() if line.strip()]
        rows = [_LINE.fullmatch(line.strip()) for line in lines]
        for number, row in enumerate(rows, 1):
            if row is None or (row[3] is None) != (rows[0] is None or rows[0][3] is None):
                raise BadData(
                    f"{path}, line {number}: expected '12.jpg 3.5', or with a time in every line "
                    f"'12.jpg 3.5,2018-07-01 17:09:44:912', got '{lines[number - 1][:60]}'. "
                    "Fetch the file again, or delete the line."
                )
        if not rows:
            raise BadData(f"{path}: expected lines, found none. The log is empty; leave it out.")
        found = [row for row in rows if row is not None]
        degrees = np.array([float(row[2]) for row in found])
        if found[0][3] is None:
            times = np.round(np.arange(len(found)) * (1e9 / self.hz)).astype(np.int64)
        else:
            times = np.array([_time(row[3], row[4]) for row in found], np.int64)
        names = [path.parent / row[1] for row in found]
        if not names[0].exists() and (path.parent / "data").is_dir():
            names = [path.parent / "data" / row[1] for row in found]
        return Drive(
            key=key,
            cameras={"front": CameraLog(times_ns=times, images=image_files(names, path))},
            steering=Signal(times_ns=times, values=-np.radians(degrees)[:, None]),
        )

    def fingerprint(self) -> str:
        """Hash of the table and the nominal rate."""
        return fingerprint_of(Path(self.folder), [self._table()]) + f"@{self.hz:g}"

    def _table(self) -> Path:
        path = Path(self.folder) / "data.txt"
        if not path.exists():
            raise BadData(
                f"{self.folder}: expected data.txt with an image and an angle in each line, found "
                "none. Give the folder that holds it."
            )
        return path


def _time(second: str, millisecond: str) -> int:
    whole = datetime.strptime(second, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    return (int(whole.timestamp()) * 1000 + int(millisecond)) * 1_000_000
