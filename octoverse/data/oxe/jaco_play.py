"""Jaco 2 that picks and places on a table (CLVR, USC), teleoperated, at 10 Hz.

world_vector is a velocity: its mean and spread are those of the measured velocity of the tool
(0.12 m/s), and its range is -0.2 to 0.2, so a step is a tenth of it; the makers' README calls it
"cartesian deltas". It is not turned. The gripper is commanded to change: 1 = close, -1 = open,
0 = stay (0, 1, 2 in the makers' own files). The pose has a quaternion, whose last number octo takes
for the gripper; here the two finger joints are given as angles.
Source: clvrai/clvr_jaco_play_dataset, README; TensorFlow Datasets' catalogue, jaco_play.
"""

import numpy as np

from octoverse.data import poses
from octoverse.data.oxe.declare import WORDS, oxe
from octoverse.data.oxe.rt1 import DONE, GRIPPER
from octoverse.data.standard import Standard, Taken

HZ = 10.0


def arm(velocity: np.ndarray) -> np.ndarray:
    """Displacement in one step."""
    return velocity / np.float32(HZ)


STANDARD = Standard(
    embodiment="jaco",
    observation={
        "primary": Taken(feature="steps/observation/image"),
        "wrist": Taken(feature="steps/observation/image_wrist"),
        "tool": Taken(
            feature="steps/observation/end_effector_cartesian_pos", convert=poses.of_quaternion
        ),
        "fingers": Taken(feature="steps/observation/joint_pos", start=6, stop=8),
    },
    action={
        "arm": Taken(feature="steps/action/world_vector", convert=arm),
        "gripper": GRIPPER,
        "done": DONE,
    },
    instruction=WORDS,
)

DATA = oxe(
    "jaco_play",
    STANDARD,
    splits=("train", "test"),
    about="CLVR Jaco Play: a Jaco 2 picks and places, teleoperated; CC BY 4.0",
)
