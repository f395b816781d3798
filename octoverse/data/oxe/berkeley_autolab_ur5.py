"""UR5 that moves a toy, a cup, a bottle and a cloth (AUTOLab, Berkeley), teleoperated, at 5 Hz.

Actions are changes of the tool's pose in the base frame: at most 2 cm along each axis and 1/15 rad
in roll, pitch and yaw. The gripper is commanded to change: 1 = close, -1 = open, 0 = stay. The
state has six joints, the pose with a quaternion x, y, z, w, and whether the gripper is closed.
While the gripper moves, nothing else does (action_blocked), though actions are recorded.
Source: Chen et al., "Berkeley UR5 Demonstration Dataset", its page; TensorFlow Datasets' catalogue,
berkeley_autolab_ur5.
"""

import numpy as np

from octoverse.data import gripper, poses
from octoverse.data.oxe.declare import WORDS, oxe
from octoverse.data.standard import Standard, Taken

STATE = "steps/observation/robot_state"


def tool(state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pose and opening."""
    pose, real = poses.of_quaternion(state[:, 6:13])
    return np.concatenate([pose, gripper.opposite(state[:, 13:14])], axis=1), real


STANDARD = Standard(
    embodiment="ur5",
    observation={
        "primary": Taken(feature="steps/observation/image"),
        "wrist": Taken(feature="steps/observation/hand_image"),
        "tool": Taken(feature=STATE, convert=tool),
        "joints": Taken(feature=STATE, stop=6),
    },
    action={
        "arm": Taken(features=("steps/action/world_vector", "steps/action/rotation_delta")),
        "gripper": Taken(feature="steps/action/gripper_closedness_action", convert=gripper.held),
        "done": Taken(feature="steps/action/terminate_episode"),
    },
    instruction=WORDS,
)

DATA = oxe(
    "berkeley_autolab_ur5",
    STANDARD,
    splits=("train", "test"),
    about="Berkeley UR5: four table-top tasks, teleoperated",
)
