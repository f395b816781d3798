"""DROID: Franka robots in hundreds of scenes, teleoperated with a headset, at 15 Hz.

What was commanded is action_dict/cartesian_velocity, -1 to 1: the controller cuts its length to 1
and goes that share of 7.5 cm and 0.15 rad in a step, in the base frame, the turn composed with the
tool's rotation. gripper_position is 0 = open, 1 = closed, in state and action. `action`, joint
velocities, is not used. The first of three wordings of the instruction is taken; it is empty where
there is none, which is masked.
Source: Khazatsky et al., "DROID", 2024; droid-dataset/droid, robot_ik/robot_ik_solver.py and
franka/robot.py.
"""

import numpy as np

from octoverse.data import gripper
from octoverse.data.oxe.declare import CONVERTED_WORDS, oxe
from octoverse.data.standard import Standard, Taken

METRES, RADIANS = 0.075, 0.15
"""In one step, for a velocity of 1."""


def arm(velocity: np.ndarray) -> np.ndarray:
    """Displacement and turn in one step."""
    return np.concatenate([_step(velocity[:, :3], METRES), _step(velocity[:, 3:], RADIANS)], axis=1)


def _step(velocity: np.ndarray, greatest: float) -> np.ndarray:
    length = np.linalg.norm(velocity, axis=1, keepdims=True)
    return velocity / np.maximum(length, 1.0) * greatest


STANDARD = Standard(
    embodiment="franka",
    observation={
        "primary": Taken(feature="steps/observation/exterior_image_1_left"),
        "secondary": Taken(feature="steps/observation/exterior_image_2_left"),
        "wrist": Taken(feature="steps/observation/wrist_image_left"),
        "tool": Taken(feature="steps/observation/cartesian_position"),
        "opening": Taken(feature="steps/observation/gripper_position", convert=gripper.opposite),
        "joints": Taken(feature="steps/observation/joint_position"),
    },
    action={
        "arm": Taken(feature="steps/action_dict/cartesian_velocity", convert=arm),
        "gripper": Taken(feature="steps/action_dict/gripper_position", convert=gripper.opposite),
    },
    instruction=CONVERTED_WORDS,
)

DATA = oxe(
    "droid",
    STANDARD,
    version="1.0.1",
    about="DROID: Franka robots in hundreds of scenes, teleoperated; CC BY 4.0",
)
