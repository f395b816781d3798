"""EDAN, a wheelchair with an arm (DLR), under shared control, at 5 Hz.

The catalogue and the builder call the action's first six numbers the tool's position and
orientation, as in the state. The published statistics of octo and openvla show that they are
changes: their means are some millimetres, where the state's are half a metre. Orientations are
scipy's as_euler("zxy"): about z, then x, then y, each fixed. The last number of state and action is
the gripper as it is measured in this step (so the builder), 0 = open, 1 = closed;
thu-ml/RoboticsDiffusionTransformer found so by watching, octo agrees.
Source: Quere et al., "Shared Control Templates for Assistive Robotics", 2020;
DLR-RM/rlds_dataset_builder; TensorFlow Datasets' catalogue,
dlr_edan_shared_control_converted_externally_to_rlds.
"""

import numpy as np

from octoverse.data import gripper, poses
from octoverse.data.oxe.declare import CONVERTED_WORDS, oxe
from octoverse.data.standard import Standard, Taken
from octoverse.rotation import from_roll_pitch_yaw

ACTION = "steps/action"


def arm(change: np.ndarray) -> np.ndarray:
    """Displacement and turn (t, 6), from displacement and angles about z, x, y."""
    z, x, y = change[:, 3:6].T
    none = np.zeros_like(z)
    first = from_roll_pitch_yaw(none, none, z)
    then = from_roll_pitch_yaw(x, y, none)
    return poses.beside(change[:, :3], then @ first)


def tool(state: np.ndarray) -> np.ndarray:
    """Pose and opening."""
    return np.concatenate([arm(state), gripper.opposite(state[:, 6:7])], axis=1)


STANDARD = Standard(
    embodiment="edan",
    observation={
        "primary": Taken(feature="steps/observation/image"),
        "tool": Taken(feature="steps/observation/state", convert=tool),
    },
    action={
        "arm": Taken(feature=ACTION, stop=6, convert=arm),
        "gripper": Taken(feature=ACTION, start=6, convert=gripper.opposite),
    },
    instruction=CONVERTED_WORDS,
)

DATA = oxe(
    "dlr_edan_shared_control_converted_externally_to_rlds",
    STANDARD,
    about="EDAN: a wheelchair with an arm under shared control, DLR",
)
