"""TOTO's pouring: a Franka pours from a cup, teleoperated, at 30 Hz.

Despite their names, world_vector and rotation_delta are the commanded pose itself (TOTO's
eef_pose_actions, "absolute end effector poses"; positions up to 0.8 m), so the delta is taken from
the command before; the first step has none and is masked. octo and openvla take them for deltas.
The three numbers of the rotation are taken as roll, pitch, yaw; no source says so. open_gripper is
1 = open. The one instruction, "pour", is left out. The state is the joints' alone.
Source: Zhou et al., "Train Offline, Test Online", 2023; AGI-Labs/toto_benchmark, assets/README.md;
TensorFlow Datasets' catalogue, toto.
"""

import numpy as np

from octoverse.data import poses
from octoverse.data.oxe.declare import oxe
from octoverse.data.standard import Standard, Taken


def arm(position: np.ndarray, angles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Change of the commanded pose."""
    return poses.change(np.concatenate([position, angles], axis=1))


STANDARD = Standard(
    embodiment="franka_30hz",
    observation={
        "primary": Taken(feature="steps/observation/image"),
        "joints": Taken(feature="steps/observation/state"),
    },
    action={
        "arm": Taken(
            features=("steps/action/world_vector", "steps/action/rotation_delta"), convert=arm
        ),
        "gripper": Taken(feature="steps/action/open_gripper"),
        "done": Taken(feature="steps/action/terminate_episode"),
    },
)

DATA = oxe(
    "toto",
    STANDARD,
    splits=("train", "test"),
    about="TOTO: a Franka pours, teleoperated, CMU and Meta",
)
