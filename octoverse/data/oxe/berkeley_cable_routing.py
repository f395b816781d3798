"""A Franka that routes cables through clips (Berkeley, Intrinsic), teleoperated, at 10 Hz.

Actions are velocities along x, y, z and about z (the catalogue: "Velocity in XYZ", "Angular
velocity about the z axis"). They run from -1 to 1; how fast that is no public source says, so they
are declared as shares of the greatest. Nor is their frame documented. The gripper holds the cable
throughout and is not recorded; the one instruction of all episodes is left out.
Source: Luo et al., "Multi-Stage Cable Routing through Hierarchical Imitation Learning", 2023;
TensorFlow Datasets' catalogue, berkeley_cable_routing.
"""

import numpy as np

from octoverse.data import poses
from octoverse.data.oxe.declare import oxe
from octoverse.data.standard import Standard, Taken


def arm(velocity: np.ndarray, turning: np.ndarray) -> np.ndarray:
    """Along the axes, and about the vertical."""
    return np.concatenate([velocity, turning[:, 2:3]], axis=1)


STANDARD = Standard(
    embodiment="franka_cable",
    observation={
        "primary": Taken(feature="steps/observation/image"),
        "top": Taken(feature="steps/observation/top_image"),
        "wrist_45": Taken(feature="steps/observation/wrist45_image"),
        "wrist_225": Taken(feature="steps/observation/wrist225_image"),
        "tool": Taken(feature="steps/observation/robot_state", convert=poses.of_quaternion),
    },
    action={
        "arm": Taken(
            features=("steps/action/world_vector", "steps/action/rotation_delta"), convert=arm
        ),
        "done": Taken(feature="steps/action/terminate_episode"),
    },
)

DATA = oxe(
    "berkeley_cable_routing",
    STANDARD,
    splits=("train", "test"),
    about="Cable routing: a Franka threads cables into clips, Berkeley and Intrinsic",
)
