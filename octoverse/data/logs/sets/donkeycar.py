"""The tub of donkeycar's own tests."""

from pathlib import Path
from typing import Literal, cast

from octoverse.data.dataset import DataSet
from octoverse.data.logs.donkeycar import DonkeycarSource
from octoverse.data.logs.sets.opening import HELD_OUT


def _open(folder: str, split: str) -> DonkeycarSource:
    part = cast(Literal["all", "train", "val"], split)
    return DonkeycarSource(folder=Path(folder), label=f"donkeycar-tub/{split}", split=part)


TUB = DataSet(
    name="donkeycar-tub",
    embodiment="rc_car",
    open=_open,
    folder="donkeycar-tub/tub",
    splits=HELD_OUT,
    about="donkeycar: an RC car on an indoor track, the tub of its own tests; MIT.",
)
