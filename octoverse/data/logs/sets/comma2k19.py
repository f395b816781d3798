"""comma2k19, whole and its example minute.

Source: Schafer et al., "A Commute in Data: The comma2k19 Dataset" (2018).
"""

from functools import partial
from pathlib import Path

from octoverse.data.dataset import DataSet
from octoverse.data.logs.comma2k19 import Comma2k19Reader
from octoverse.data.logs.sets.opening import HELD_OUT, held_out
from octoverse.data.logs.source import DriveSource


def _open(name: str, folder: str, split: str) -> DriveSource:
    return held_out(name, Comma2k19Reader(folder=Path(folder)), split)


COMMA2K19 = DataSet(
    name="comma2k19",
    embodiment="passenger_car",
    open=partial(_open, "comma2k19"),
    folder="comma2k19",
    splits=HELD_OUT,
    about="comma.ai: 33 hours on California's highway 280, camera, CAN and poses; MIT.",
)
EXAMPLE = DataSet(
    name="comma2k19-example",
    embodiment="passenger_car",
    open=partial(_open, "comma2k19-example"),
    folder="comma2k19-example",
    splits=HELD_OUT,
    about="comma.ai: the example minute of comma2k19, here without its video; MIT.",
)
