"""Play of a Franka with toy kitchens (NYU), teleoperated, at 3 Hz.

Of the fifteen numbers of an action, after seven joint velocities, come the change of the tool's
position and of its roll, pitch and yaw, the gripper's target (1 = open, -1 = closed) and whether
the episode ends. The state has joints and pose, not the gripper. The makers' builder gives every
episode one instruction, "play with the kitchen", which is left out.
Source: Cui et al., "From Play to Policy", 2022; jeffacce/rlds_dataset_builder; TensorFlow Datasets'
catalogue, nyu_franka_play_dataset_converted_externally_to_rlds.
"""

from octoverse.data import gripper
from octoverse.data.oxe.declare import oxe
from octoverse.data.standard import Standard, Taken

ACTION, STATE = "steps/action", "steps/observation/state"

STANDARD = Standard(
    embodiment="franka_3hz",
    observation={
        "primary": Taken(feature="steps/observation/image"),
        "secondary": Taken(feature="steps/observation/image_additional_view"),
        "tool": Taken(feature=STATE, start=7),
        "joints": Taken(feature=STATE, stop=7),
    },
    action={
        "arm": Taken(feature=ACTION, start=7, stop=13),
        "gripper": Taken(feature=ACTION, start=13, stop=14, convert=gripper.within),
        "done": Taken(feature=ACTION, start=14),
    },
)

DATA = oxe(
    "nyu_franka_play_dataset_converted_externally_to_rlds",
    STANDARD,
    splits=("train", "val"),
    about="Play of a Franka with toy kitchens, teleoperated, NYU",
)
