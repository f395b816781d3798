"""SAILOR: a Franka lays a table, cooks and plays (Austin), teleoperated, at 20 Hz.

The tool's pose is taken from state_ee, a matrix; the width from state_gripper (about 0 = closed to
0.077 m = open). Actions are in deoxys' units. octo leaves the instruction out; it names one of four
tasks, so it is kept.
Source: Nasiriany et al., "Learning and Retrieval from Prior Data for Skill-based Imitation
Learning", 2022; snasiriany/rlds_dataset_builder; TensorFlow Datasets' catalogue,
austin_sailor_dataset_converted_externally_to_rlds.
"""

from octoverse.data import gripper
from octoverse.data.oxe import deoxys
from octoverse.data.oxe.declare import CONVERTED_WORDS, oxe
from octoverse.data.standard import Standard, Taken

STANDARD = Standard(
    embodiment="franka_20hz",
    observation={
        "primary": Taken(feature="steps/observation/image"),
        "wrist": Taken(feature="steps/observation/wrist_image"),
    }
    | deoxys.measured(
        pose="steps/observation/state_ee",
        width="steps/observation/state_gripper",
        angles="steps/observation/state_joint",
    ),
    action={
        "arm": Taken(feature="steps/action", stop=6, convert=deoxys.arm),
        "gripper": Taken(feature="steps/action", start=6, convert=gripper.of_sign),
    },
    instruction=CONVERTED_WORDS,
)

DATA = oxe(
    "austin_sailor_dataset_converted_externally_to_rlds",
    STANDARD,
    about="SAILOR: a Franka lays a table, cooks and plays, teleoperated, Austin",
)
