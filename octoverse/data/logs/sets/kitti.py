"""KITTI raw, whole and the first second of one drive.

Source: Geiger et al., "Vision meets Robotics: The KITTI Dataset" (2013).
"""

from pathlib import Path

from octoverse.data.dataset import DataSet
from octoverse.data.logs.kitti import KittiReader
from octoverse.data.logs.sets.opening import HELD_OUT, held_out
from octoverse.data.logs.source import DriveSource


def _raw(folder: str, split: str) -> DriveSource:
    return held_out("kitti-raw", KittiReader(folder=Path(folder)), split)


def _second(folder: str, split: str) -> DriveSource:
    # A second has no room for a gap of a whole path; train looks no further than val begins.
    return held_out("kitti-raw-drive-0002", KittiReader(folder=Path(folder)), split, gap=0.0)


RAW = DataSet(
    name="kitti-raw",
    embodiment="passenger_car",
    open=_raw,
    folder="kitti-raw",
    splits=HELD_OUT,
    about="KIT and TTI-C: 6 hours around Karlsruhe, stereo and OXTS; CC BY-NC-SA 3.0.",
)
DRIVE_0002 = DataSet(
    name="kitti-raw-drive-0002",
    embodiment="passenger_car",
    open=_second,
    folder="kitti-raw-drive-0002",
    splits=HELD_OUT,
    about="KIT and TTI-C: the first second of one drive of KITTI raw; CC BY-NC-SA 3.0.",
)
