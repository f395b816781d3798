"""BUDS: a Franka in a stylised kitchen (Austin), teleoperated, at 20 Hz with deoxys.

The state has seven joints, the fingers' width and the tool's pose as a matrix. Actions are in
deoxys' units; the catalogue says "6x end effector delta pose, 1x gripper position". octo leaves the
instruction out; whether it differs between episodes is not documented, so it is kept.
Source: Zhu et al., "Bottom-Up Skill Discovery From Unsegmented Demonstrations", 2022; TensorFlow
Datasets' catalogue, austin_buds_dataset_converted_externally_to_rlds.
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
    | deoxys.OF_STATE,
    action={
        "arm": Taken(feature="steps/action", stop=6, convert=deoxys.arm),
        "gripper": Taken(feature="steps/action", start=6, convert=gripper.of_sign),
    },
    instruction=CONVERTED_WORDS,
)

DATA = oxe(
    "austin_buds_dataset_converted_externally_to_rlds",
    STANDARD,
    about="BUDS: a Franka in a stylised kitchen, teleoperated, Austin",
)
