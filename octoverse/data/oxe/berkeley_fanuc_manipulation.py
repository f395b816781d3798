"""FANUC LR Mate in table-top tasks (Berkeley), teleoperated, at 10 Hz.

Actions are the change of the tool's position and of its roll, pitch and yaw. The gripper's command
is not recorded: its action is how it is measured one step on, and the last step has none and is
masked; octo takes that of the same step. The state's seventh number, "gripper open status" in the
catalogue, is 1 = closed as octo, openvla and thu-ml/RoboticsDiffusionTransformer read it.
Source: Zhu et al., "Fanuc Manipulation", 2023; TensorFlow Datasets' catalogue,
berkeley_fanuc_manipulation.
"""

import numpy as np

from octoverse.data import gripper, poses
from octoverse.data.oxe.declare import CONVERTED_WORDS, oxe
from octoverse.data.standard import Standard, Taken

STATE, POSE = "steps/observation/state", "steps/observation/end_effector_state"


def tool(pose: np.ndarray, state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pose and opening."""
    found, real = poses.of_quaternion(pose)
    return np.concatenate([found, gripper.opposite(state[:, 6:7])], axis=1), real


def next_opening(closed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Opening one step on."""
    opening = gripper.opposite(closed)
    return np.concatenate([opening[1:], opening[-1:]]), np.arange(1, len(opening) + 1) < len(closed)


STANDARD = Standard(
    embodiment="fanuc_mate",
    observation={
        "primary": Taken(feature="steps/observation/image"),
        "wrist": Taken(feature="steps/observation/wrist_image"),
        "tool": Taken(features=(POSE, STATE), convert=tool),
        "joints": Taken(feature=STATE, stop=6),
    },
    action={
        "arm": Taken(feature="steps/action"),
        "gripper": Taken(feature=STATE, start=6, stop=7, convert=next_opening),
    },
    instruction=CONVERTED_WORDS,
)

DATA = oxe(
    "berkeley_fanuc_manipulation",
    STANDARD,
    about="Fanuc Manipulation: an LR Mate in table-top tasks, teleoperated, Berkeley",
)
