"""Play of a Franka with a kitchen (TACO-RL, HULC++), teleoperated, at 15 Hz.

What is commanded is an absolute pose of the tool, actions; the delta is taken from the pose that is
measured, robot_obs, to it. rel_actions_world has the same in units of 2 cm and 0.05 rad. Euler
angles are roll, pitch, yaw (about x, y, z, so the makers' README); the catalogue says "yaw, pitch,
roll", but the ranges in the training example of google-deepmind/open_x_embodiment (-3.2 to 3.2,
-0.8 to 0.2, -1.8 to 2.5) are those of a tool that looks down.

Sources disagree about the gripper. Taken is 1 = open, -1 = closed, with the makers' README, octo
and openvla. The catalogue and thu-ml/RoboticsDiffusionTransformer say -1 = open. Episodes say when
they are done, which the body cannot.
Source: Rosete-Beas et al., "Latent Plans for Task-Agnostic Offline Reinforcement Learning", 2022;
ErickRosete/tacorl, dataset/README.md; TensorFlow Datasets' catalogue, taco_play.
"""

import numpy as np

from octoverse.data import gripper, poses
from octoverse.data.oxe.declare import WORDS, oxe
from octoverse.data.standard import Standard, Taken
from octoverse.rotation import from_roll_pitch_yaw

ACTIONS, MEASURED = "steps/action/actions", "steps/observation/robot_obs"


def arm(goal: np.ndarray, here: np.ndarray) -> np.ndarray:
    """From the measured pose to the commanded one."""
    turned, goal_turned = (from_roll_pitch_yaw(*pose[:, 3:6].T) for pose in (here, goal))
    return poses.towards(here, turned, goal, goal_turned)


STANDARD = Standard(
    embodiment="franka",
    observation={
        "primary": Taken(feature="steps/observation/rgb_static"),
        "wrist": Taken(feature="steps/observation/rgb_gripper"),
        "tool": Taken(feature=MEASURED, stop=6),
        "opening": Taken(feature=MEASURED, start=6, stop=7, convert=gripper.of_franka_width),
        "joints": Taken(feature=MEASURED, start=7, stop=14),
    },
    action={
        "arm": Taken(features=(ACTIONS, MEASURED), convert=arm),
        "gripper": Taken(feature=ACTIONS, start=6, convert=gripper.within),
    },
    instruction=WORDS,
)

DATA = oxe(
    "taco_play",
    STANDARD,
    splits=("train", "test"),
    about="TACO play: a Franka in a toy kitchen, teleoperated, Freiburg",
)
