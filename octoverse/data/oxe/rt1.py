"""The form of RT-1's actions and states, which other data sets of Open X-Embodiment share."""

import numpy as np

from octoverse.data import gripper, poses
from octoverse.data.standard import Taken

DONE = Taken(feature="steps/action/terminate_episode", stop=1)
"""One of three: terminate, go on, and one that is not used."""
GRIPPER = Taken(feature="steps/action/gripper_closedness_action", convert=gripper.held)
"""A command to change: 1 = close, -1 = open, 0 = stay."""


def tool(pose: np.ndarray, closed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pose of the tool and its opening, from position and quaternion x, y, z, w."""
    found, real = poses.of_quaternion(pose)
    return np.concatenate([found, gripper.opposite(closed)], axis=1), real
