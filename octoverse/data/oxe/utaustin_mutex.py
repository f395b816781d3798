"""MUTEX: a Franka in fifty household tasks (Austin), teleoperated, at 20 Hz with deoxys.

The state has seven joints, the fingers' width and the tool's pose as a matrix. Actions are in
deoxys' units; the catalogue says "6x end effector delta pose, 1x gripper position". octo leaves the
instruction out; the catalogue says that it is detailed for each task, so it is kept.
Source: Shah et al., "MUTEX: Learning Unified Policies from Multimodal Task Specifications", 2023;
TensorFlow Datasets' catalogue, utaustin_mutex.
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
    "utaustin_mutex",
    STANDARD,
    about="MUTEX: a Franka in fifty household tasks, teleoperated, Austin",
)
