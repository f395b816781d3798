"""Dobot CR5 putting a banana on a plate, taught by dragging the arm by hand.

The camera is called "top" and sits on the wrist: it moves with the arm. The action is the joints'
measured velocity at the same instant (it agrees with the differences of their angles; the last two
joints hardly move) and the gripper with 0 = open, which is turned round here. The state has no
gripper. The clock is real and irregular, 0.06 to 0.27 s from step to step, under videos of 10
frames per second: times are the recorded ones, and frames go by their number.
Source: HuangJunkai2023/CR5_TCP_test, lerobot_data (LeRobot v2.1).
"""

from functools import partial

import numpy as np

from octoverse.data.dataset import DataSet
from octoverse.data.lerobot.sets.opening import open_split
from octoverse.data.standard import Standard, Taken


def opened(closed: np.ndarray) -> np.ndarray:
    """From 0 = open, 1 = closed to 1 = open; (t, 1) both."""
    return 1.0 - closed


STANDARD = Standard(
    embodiment="dobot_cr5",
    observation={
        "wrist": Taken(feature="observation.images.top"),
        "joints": Taken(feature="observation.state"),
    },
    action={
        "arm": Taken(feature="action", stop=6),
        "gripper": Taken(feature="action", start=6, stop=7, convert=opened),
    },
    instruction={"instruction": "task"},
)
_SPLITS = {"train": ":-2", "val": "-2:", "all": ":"}
DOBOT_CR5 = DataSet(
    name="dobot-cr5",
    embodiment="dobot_cr5",
    open=partial(open_split, name="dobot-cr5", standard=STANDARD, splits=_SPLITS),
    folder="dobot-cr5",
    splits=tuple(_SPLITS),
    about="HuangJunkai2023/CR5_TCP_test: a real Dobot CR5 taught by hand; SDK under MIT.",
)
