"""QT-Opt's bin picking: KUKA iiwas over bins, at 10 Hz, by policies that were being trained.

world_vector is the tool's commanded displacement in the base frame [m]; of rotation_delta only the
turn about the vertical is ever used [rad], as in QT-Opt's action space. The gripper is commanded to
change, as in RT-1's data. Every episode has one instruction, "pick anything", which tells nothing
and is left out; octo does the same.

Some states are stored compressed. The catalogue gives no units or frames; they are QT-Opt's.
Source: Kalashnikov et al., "QT-Opt", 2018; TensorFlow Datasets' catalogue, kuka.
"""

import numpy as np

from octoverse.data.oxe.declare import oxe
from octoverse.data.oxe.rt1 import DONE, GRIPPER, tool
from octoverse.data.standard import Standard, Taken


def arm(displacement: np.ndarray, turn: np.ndarray) -> np.ndarray:
    """Displacement, and the turn about the vertical."""
    return np.concatenate([displacement, turn[:, 2:3]], axis=1)


STANDARD = Standard(
    embodiment="kuka_iiwa",
    observation={
        "primary": Taken(feature="steps/observation/image"),
        "tool": Taken(
            features=(
                "steps/observation/clip_function_input/base_pose_tool_reached",
                "steps/observation/gripper_closed",
            ),
            convert=tool,
        ),
    },
    action={
        "arm": Taken(
            features=("steps/action/world_vector", "steps/action/rotation_delta"), convert=arm
        ),
        "gripper": GRIPPER,
        "done": DONE,
    },
)

DATA = oxe("kuka", STANDARD, about="QT-Opt: KUKA iiwas picking from bins, by learning policies")
