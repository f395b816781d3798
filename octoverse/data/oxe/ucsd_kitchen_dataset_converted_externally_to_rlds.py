"""xArm in toy kitchens (UC San Diego), teleoperated, at 2 Hz.

Actions are commanded poses: position in millimetres and roll, pitch and yaw in degrees (their means
over the data are 410, 117, 192 and -121, -34, 50), so the change from the command before is
taken; the first step has none and is masked. octo and openvla take them for deltas.

Sources disagree about the gripper. Taken is 1 = open, as octo and openvla read it;
thu-ml/RoboticsDiffusionTransformer turns it around. The state is joints, their velocities and
torques.
Source: Yan et al., "ucsd kitchens Dataset", 2023; TensorFlow Datasets' catalogue,
ucsd_kitchen_dataset_converted_externally_to_rlds; the statistics published with openvla-7b.
"""

import numpy as np

from octoverse.data import gripper, poses
from octoverse.data.oxe.declare import CONVERTED_WORDS, oxe
from octoverse.data.standard import Standard, Taken

ACTION = "steps/action"


def arm(pose: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Change of the commanded pose."""
    return poses.change(np.concatenate([pose[:, :3] / 1000, np.radians(pose[:, 3:6])], axis=1))


STANDARD = Standard(
    embodiment="xarm",
    observation={
        "primary": Taken(feature="steps/observation/image"),
        "joints": Taken(feature="steps/observation/state", stop=7),
    },
    action={
        "arm": Taken(feature=ACTION, stop=6, convert=arm),
        "gripper": Taken(feature=ACTION, start=6, stop=7, convert=gripper.within),
        "done": Taken(feature=ACTION, start=7),
    },
    instruction=CONVERTED_WORDS,
)

DATA = oxe(
    "ucsd_kitchen_dataset_converted_externally_to_rlds",
    STANDARD,
    about="UCSD kitchens: an xArm in toy kitchens, teleoperated",
)
