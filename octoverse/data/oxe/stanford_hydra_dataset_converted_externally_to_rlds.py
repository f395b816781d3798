"""HYDRA: a Franka makes coffee, toasts and sorts dishes (Stanford), teleoperated, at 10 Hz.

The catalogue: actions are changes of the tool's position and of its Euler angles, and 1 = close the
gripper; the state has position, quaternion, Euler angles, seven joints, their velocities and three
numbers of the gripper, of which the first is the fingers' width. Euler angles are taken as roll,
pitch, yaw. octo leaves the instruction out; it names the task, so it is kept.
Source: Belkhale et al., "HYDRA: Hybrid Robot Actions for Imitation Learning", 2023; TensorFlow
Datasets' catalogue, stanford_hydra_dataset_converted_externally_to_rlds.
"""

import numpy as np

from octoverse.data import gripper
from octoverse.data.oxe.declare import CONVERTED_WORDS, oxe
from octoverse.data.standard import Standard, Taken

STATE = "steps/observation/state"


def tool(state: np.ndarray) -> np.ndarray:
    """Position and Euler angles."""
    return np.concatenate([state[:, :3], state[:, 7:10]], axis=1)


STANDARD = Standard(
    embodiment="franka_10hz",
    observation={
        "primary": Taken(feature="steps/observation/image"),
        "wrist": Taken(feature="steps/observation/wrist_image"),
        "tool": Taken(feature=STATE, convert=tool),
        "opening": Taken(feature=STATE, start=24, stop=25, convert=gripper.of_franka_width),
        "joints": Taken(feature=STATE, start=10, stop=17),
    },
    action={
        "arm": Taken(feature="steps/action", stop=6),
        "gripper": Taken(feature="steps/action", start=6, convert=gripper.opposite),
    },
    instruction=CONVERTED_WORDS,
)

DATA = oxe(
    "stanford_hydra_dataset_converted_externally_to_rlds",
    STANDARD,
    about="HYDRA: a Franka in long kitchen tasks, teleoperated, Stanford",
)
