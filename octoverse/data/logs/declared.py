"""Driving logs that are known by name."""

from functools import partial
from pathlib import Path
from typing import Literal, cast

from octoverse.data.dataset import DataSet
from octoverse.data.logs.comma2k19 import Comma2k19Reader
from octoverse.data.logs.donkeycar import DonkeycarSource
from octoverse.data.logs.kitti import KittiReader
from octoverse.data.logs.source import DriveSource
from octoverse.data.logs.sullychen import SullyChenReader
from octoverse.data.logs.udacity import UdacityReader

SPLITS = ("train", "val", "all")


def _comma2k19(name: str, folder: str, split: str) -> DriveSource:
    reader = Comma2k19Reader(folder=Path(folder))
    return DriveSource(reader=reader, label=f"{name}/{split}", split=_split(split))


def _kitti(name: str, gap: float | None, folder: str, split: str) -> DriveSource:
    reader = KittiReader(folder=Path(folder))
    return DriveSource(reader=reader, label=f"{name}/{split}", split=_split(split), gap=gap)


def _sullychen(name: str, folder: str, split: str) -> DriveSource:
    return DriveSource(
        reader=SullyChenReader(folder=Path(folder)),
        label=f"{name}/{split}",
        embodiment="dashcam_car",
        split=_split(split),
    )


def _udacity(folder: str, split: str) -> DriveSource:
    return DriveSource(
        reader=UdacityReader(folder=Path(folder)),
        label=f"udacity/{split}",
        embodiment="udacity_car",
        split=_split(split),
    )


def _donkeycar(folder: str, split: str) -> DonkeycarSource:
    label = f"donkeycar-tub/{split}"
    return DonkeycarSource(folder=Path(folder), label=label, split=_split(split))


def _split(split: str) -> Literal["all", "train", "val"]:
    return cast(Literal["all", "train", "val"], split)


COMMA2K19 = DataSet(
    name="comma2k19",
    embodiment="passenger_car",
    open=partial(_comma2k19, "comma2k19"),
    folder="comma2k19",
    splits=SPLITS,
    about="comma.ai: 33 hours on California's highway 280, camera, CAN and poses; MIT.",
)
COMMA2K19_EXAMPLE = DataSet(
    name="comma2k19-example",
    embodiment="passenger_car",
    open=partial(_comma2k19, "comma2k19-example"),
    folder="comma2k19-example",
    splits=SPLITS,
    about="comma.ai: the example minute of comma2k19, here without its video; MIT.",
)
KITTI_RAW = DataSet(
    name="kitti-raw",
    embodiment="passenger_car",
    open=partial(_kitti, "kitti-raw", None),
    folder="kitti-raw",
    splits=SPLITS,
    about="KIT and TTI-C: 6 hours around Karlsruhe, stereo and OXTS; CC BY-NC-SA 3.0.",
)
KITTI_RAW_DRIVE_0002 = DataSet(
    name="kitti-raw-drive-0002",
    embodiment="passenger_car",
    # A second has no room for a gap of a whole path.
    open=partial(_kitti, "kitti-raw-drive-0002", 0.0),
    folder="kitti-raw-drive-0002",
    splits=SPLITS,
    about="KIT and TTI-C: the first second of one drive of KITTI raw; CC BY-NC-SA 3.0.",
)
SULLYCHEN = DataSet(
    name="sullychen",
    embodiment="dashcam_car",
    open=partial(_sullychen, "sullychen"),
    folder="driving_dataset",
    splits=SPLITS,
    about="Sully Chen: dashcam and steering wheel around Los Angeles, 2017 and 2018; MIT.",
)
SULLYCHEN_100 = DataSet(
    name="sullychen-100",
    embodiment="dashcam_car",
    open=partial(_sullychen, "sullychen-100"),
    folder="sullychen-100/driving_dataset",
    splits=SPLITS,
    about="Sully Chen: the first 101 frames of his driving data set of 2017; MIT.",
)
UDACITY = DataSet(
    name="udacity",
    embodiment="udacity_car",
    open=_udacity,
    folder="udacity",
    splits=SPLITS,
    about="Recordings of Udacity's behavioural cloning simulator.",
)
DONKEYCAR_TUB = DataSet(
    name="donkeycar-tub",
    embodiment="rc_car",
    open=_donkeycar,
    folder="donkeycar-tub/tub",
    splits=SPLITS,
    about="donkeycar: an RC car on an indoor track, the tub of its own tests; MIT.",
)
