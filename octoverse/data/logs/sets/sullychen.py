"""Sully Chen's driving data set, whole and its first frames."""

from functools import partial
from pathlib import Path

from octoverse.data.dataset import DataSet
from octoverse.data.logs.sets.opening import HELD_OUT, held_out
from octoverse.data.logs.source import DriveSource
from octoverse.data.logs.sullychen import SullyChenReader


def _open(name: str, folder: str, split: str) -> DriveSource:
    reader = SullyChenReader(folder=Path(folder))
    return held_out(name, reader, split, embodiment="dashcam_car")


WHOLE = DataSet(
    name="sullychen",
    embodiment="dashcam_car",
    open=partial(_open, "sullychen"),
    folder="sullychen/driving_dataset",
    splits=HELD_OUT,
    about="Sully Chen: dashcam and steering wheel around Los Angeles, 2017 and 2018; MIT.",
)
FIRST_100 = DataSet(
    name="sullychen-100",
    embodiment="dashcam_car",
    open=partial(_open, "sullychen-100"),
    folder="sullychen-100/driving_dataset",
    splits=HELD_OUT,
    about="Sully Chen: the first 101 frames of his data set of 2017; MIT.",
)
