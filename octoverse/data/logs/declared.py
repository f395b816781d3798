"""Driving logs that are known by name."""

from functools import partial
from pathlib import Path
from typing import Literal, cast

from octoverse.data.dataset import DataSet
from octoverse.data.logs.comma2k19 import Comma2k19Reader
from octoverse.data.logs.source import DriveSource

SPLITS = ("train", "val", "all")


def _comma2k19(name: str, folder: str, split: str) -> DriveSource:
    reader = Comma2k19Reader(folder=Path(folder))
    return DriveSource(reader=reader, label=f"{name}/{split}", split=_split(split))


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
