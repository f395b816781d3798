"""Recordings of Udacity's behavioural cloning simulator."""

from pathlib import Path

from octoverse.data.dataset import DataSet
from octoverse.data.logs.sets.opening import HELD_OUT, held_out
from octoverse.data.logs.source import DriveSource
from octoverse.data.logs.udacity import UdacityReader


def _open(folder: str, split: str) -> DriveSource:
    return held_out("udacity", UdacityReader(folder=Path(folder)), split, embodiment="udacity_car")


UDACITY = DataSet(
    name="udacity",
    embodiment="udacity_car",
    open=_open,
    folder="udacity",
    splits=HELD_OUT,
    about="Recordings of Udacity's behavioural cloning simulator.",
)
