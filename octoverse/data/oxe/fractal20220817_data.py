"""RT-1's demonstrations: a mobile manipulator of Google (Everyday Robots) in office kitchens.

3 Hz. world_vector is the commanded displacement of the tool and rotation_delta its roll-pitch-yaw,
both in the frame of the robot's base, in metres and radians a step. The base's displacement of one
step becomes a velocity. The gripper is commanded to change: gripper_closedness_action 1 = close,
-1 = open, 0 = stay. terminate_episode is one of three: terminate, go on, and one that is not used.

The catalogue calls the gripper command a "continuous gripper position"; the training example of
google-deepmind/open_x_embodiment says -1 opens and 1 closes, and octo reads it as a change.
Source: Brohan et al., "RT-1", 2022; TensorFlow Datasets' catalogue, fractal20220817_data.
"""

import numpy as np

from octoverse.data.oxe.declare import WORDS, oxe
from octoverse.data.oxe.rt1 import DONE, GRIPPER, tool
from octoverse.data.standard import Standard, Taken

HZ = 3.0


def base(displacement: np.ndarray, turn: np.ndarray) -> np.ndarray:
    """Velocity of the base, from what it moves in one step."""
    return np.concatenate([displacement, turn], axis=1) * np.float32(HZ)


STANDARD = Standard(
    embodiment="google_robot",
    observation={
        "primary": Taken(feature="steps/observation/image"),
        "tool": Taken(
            features=(
                "steps/observation/base_pose_tool_reached",
                "steps/observation/gripper_closed",
            ),
            convert=tool,
        ),
    },
    action={
        "arm": Taken(features=("steps/action/world_vector", "steps/action/rotation_delta")),
        "gripper": GRIPPER,
        "base": Taken(
            features=(
                "steps/action/base_displacement_vector",
                "steps/action/base_displacement_vertical_rotation",
            ),
            convert=base,
        ),
        "done": DONE,
    },
    instruction=WORDS,
)

DATA = oxe(
    "fractal20220817_data",
    STANDARD,
    about="RT-1: a mobile manipulator of Google in office kitchens, teleoperated",
)
