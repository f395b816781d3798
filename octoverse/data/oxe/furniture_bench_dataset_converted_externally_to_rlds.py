"""FurnitureBench: a Franka assembles furniture, teleoperated, at 10 Hz.

Actions are a displacement in the base frame [m], a quaternion x, y, z, w that turns the tool in its
own frame (the robot multiplies it from the right), and the gripper, 1 = close, -1 = open. The turn
is brought into the base frame with the measured pose; octo and openvla take its Euler angles as
they are. The builder calls all of them velocities; they are changes in one step.
Source: Heo et al., "FurnitureBench", 2023; clvrai/furniture-bench, robot/panda.py (execute);
youngwoon/furniture_bench_rlds_dataset_builder.
"""

import numpy as np

from octoverse.data import gripper, poses
from octoverse.data.oxe.declare import CONVERTED_WORDS, oxe
from octoverse.data.standard import Standard, Taken

ACTION, STATE = "steps/action", "steps/observation/state"


def arm(action: np.ndarray, state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Displacement, and the turn about the base's axes."""
    turned, known = poses.turns_of(state[:, 3:7])
    turn, real = poses.turns_of(action[:, 3:7])
    changes = poses.beside(action[:, :3], turned @ turn @ np.swapaxes(turned, 1, 2))
    return changes, real & known


STANDARD = Standard(
    embodiment="franka_10hz",
    observation={
        "primary": Taken(feature="steps/observation/image"),
        "wrist": Taken(feature="steps/observation/wrist_image"),
        "tool": Taken(feature=STATE, stop=7, convert=poses.of_quaternion),
        "opening": Taken(feature=STATE, start=34, convert=gripper.of_franka_width),
        "joints": Taken(feature=STATE, start=13, stop=20),
    },
    action={
        "arm": Taken(features=(ACTION, STATE), convert=arm),
        "gripper": Taken(feature=ACTION, start=7, convert=gripper.of_sign),
    },
    instruction=CONVERTED_WORDS,
)

DATA = oxe(
    "furniture_bench_dataset_converted_externally_to_rlds",
    STANDARD,
    about="FurnitureBench: a Franka assembles nine pieces of furniture, teleoperated, KAIST",
)
