"""A Franka picks up and inserts blocks (IAM Lab, CMU), at 20 Hz.

The makers' builder: the action of a step is the pose that is measured one step on, position and
quaternion w, x, y, z, and the gripper then, 1 = open. So the delta is taken from the action before,
and the tool's pose is what the action before says; the first step has neither, and is masked. octo
and openvla take the positions for deltas and the quaternions for x, y, z, w. In insertions the
gripper is always closed. is_last is never set, so no other step is masked.
Source: Saxena et al., "Multi-Resolution Sensing for Real-Time Control with Vision-Language Models",
2023; mohitsharma0690/rlds_dataset_builder.
"""

import numpy as np

from octoverse.data import poses
from octoverse.data.oxe.declare import CONVERTED_WORDS, oxe
from octoverse.data.standard import Standard, Taken

ACTION, STATE = "steps/action", "steps/observation/state"


def arm(goal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Change of the pose."""
    return poses.change(*_poses(goal))


def tool(goal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pose that the action before led to."""
    found, real = _poses(goal)
    before = np.concatenate([[0], np.arange(len(found) - 1)])
    return found[before], real[before] & (np.arange(len(found)) > 0)


def _poses(goal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return poses.of_quaternion(goal[:, [0, 1, 2, 4, 5, 6, 3]])


STANDARD = Standard(
    embodiment="franka_20hz",
    observation={
        "primary": Taken(feature="steps/observation/image"),
        "wrist": Taken(feature="steps/observation/wrist_image"),
        "tool": Taken(feature=ACTION, stop=7, convert=tool),
        "opening": Taken(feature=STATE, start=7, stop=8),
        "joints": Taken(feature=STATE, stop=7),
    },
    action={
        "arm": Taken(feature=ACTION, stop=7, convert=arm),
        "gripper": Taken(feature=ACTION, start=7),
    },
    instruction=CONVERTED_WORDS,
)

DATA = oxe(
    "iamlab_cmu_pickup_insert_converted_externally_to_rlds",
    STANDARD,
    about="A Franka picks up and inserts blocks, IAM Lab at CMU",
)
