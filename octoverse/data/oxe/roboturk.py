"""RoboTurk's real-robot data: a Sawyer teleoperated with phones, at 10 Hz, in three tasks.

world_vector and rotation_delta are the commanded change of the tool's pose; the catalogue gives no
units, metres and radians are RoboTurk's. gripper_closedness_action is absolute and 1 = closed, as
octo and openvla read it; no documentation says so. There is no state. octo leaves the instruction
out; it names one of the three tasks, so it is kept.
Source: Mandlekar et al., "Scaling Robot Supervision to Hundreds of Hours with RoboTurk", 2019;
TensorFlow Datasets' catalogue, roboturk.
"""

from octoverse.data import gripper
from octoverse.data.oxe.declare import WORDS, oxe
from octoverse.data.standard import Standard, Taken

STANDARD = Standard(
    embodiment="sawyer",
    observation={"primary": Taken(feature="steps/observation/front_rgb")},
    action={
        "arm": Taken(features=("steps/action/world_vector", "steps/action/rotation_delta")),
        "gripper": Taken(
            feature="steps/action/gripper_closedness_action", convert=gripper.opposite
        ),
        "done": Taken(feature="steps/action/terminate_episode"),
    },
    instruction=WORDS,
)

DATA = oxe(
    "roboturk",
    STANDARD,
    splits=("train", "test"),
    about="RoboTurk: a Sawyer stacks, folds and searches, teleoperated with phones",
)
