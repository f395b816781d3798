"""BC-Z: Google's mobile manipulator with its base standing, teleoperated and corrected, at 10 Hz.

The catalogue: each action holds the next ten residuals "to add to" the current position and to the
current axis-angle, in the robot's frame, and the next ten values that the gripper's closure should
change to. The first of each is the action of this step. A sum of rotation vectors is not a turn, so
the turn from one to the other is taken. How far the gripper is measured closed runs from about 0.2
to 1.
Source: Jang et al., "BC-Z", 2021; TensorFlow Datasets' catalogue, bc_z.
"""

import numpy as np

from octoverse.data import gripper, poses
from octoverse.data.oxe.declare import WORDS, oxe
from octoverse.data.standard import Standard, Taken
from octoverse.rotation import from_rotation_vector

HERE = "steps/observation/present/"


def arm(displacement: np.ndarray, residual: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """Displacement, and the turn to where the residual leads."""
    turned = from_rotation_vector(vector)
    goal = from_rotation_vector(vector + residual)
    return poses.beside(displacement, goal @ np.swapaxes(turned, 1, 2))


def tool(position: np.ndarray, vector: np.ndarray, closed: np.ndarray) -> np.ndarray:
    """Pose and opening."""
    pose = poses.of_rotation_vector(np.concatenate([position, vector], axis=1))
    return np.concatenate([pose, gripper.opposite(closed)], axis=1)


STANDARD = Standard(
    embodiment="google_robot_10hz",
    observation={
        "primary": Taken(feature="steps/observation/image"),
        "tool": Taken(
            features=(f"{HERE}xyz", f"{HERE}axis_angle", f"{HERE}sensed_close"), convert=tool
        ),
    },
    action={
        "arm": Taken(
            features=(
                "steps/action/future/xyz_residual",
                "steps/action/future/axis_angle_residual",
                f"{HERE}axis_angle",
            ),
            stop=3,
            convert=arm,
        ),
        "gripper": Taken(
            feature="steps/action/future/target_close", stop=1, convert=gripper.opposite
        ),
    },
    instruction=WORDS,
)

DATA = oxe(
    "bc_z",
    STANDARD,
    splits=("train", "val"),
    about="BC-Z: Google's mobile manipulator in a hundred table-top tasks, teleoperated",
)
