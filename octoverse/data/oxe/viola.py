"""VIOLA: a Franka in stylised kitchen tasks (Austin), teleoperated, at 20 Hz with deoxys.

Actions run from -1 to 1 and -0.375 to 0.375 and are in deoxys' units; the gripper is 1 = closed,
-1 = open, and 0 where an episode is padded, which is masked. The catalogue says of gripper_states
that it is the width, zero when closed. octo leaves the instruction out; it names the task, so it is
kept. When an episode is done it says so, which the body cannot.
Source: Zhu et al., "VIOLA", 2022; TensorFlow Datasets' catalogue, viola.
"""

from octoverse.data import gripper
from octoverse.data.oxe import deoxys
from octoverse.data.oxe.declare import WORDS, oxe
from octoverse.data.standard import Standard, Taken

STANDARD = Standard(
    embodiment="franka_20hz",
    observation={
        "primary": Taken(feature="steps/observation/agentview_rgb"),
        "wrist": Taken(feature="steps/observation/eye_in_hand_rgb"),
    }
    | deoxys.measured(
        pose="steps/observation/ee_states",
        width="steps/observation/gripper_states",
        angles="steps/observation/joint_states",
    ),
    action={
        "arm": Taken(
            features=("steps/action/world_vector", "steps/action/rotation_delta"),
            convert=deoxys.arm_of_parts,
        ),
        "gripper": Taken(feature="steps/action/gripper_closedness_action", convert=gripper.of_sign),
    },
    instruction=WORDS,
)

DATA = oxe(
    "viola",
    STANDARD,
    splits=("train", "test"),
    about="VIOLA: a Franka in stylised kitchen tasks, teleoperated, Austin",
)
