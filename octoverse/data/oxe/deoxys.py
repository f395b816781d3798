"""What the data sets of Austin's Franka robots have in common: they are driven with deoxys.

Actions are -1 to 1 for the tool's displacement in the base frame, scaled by 5 cm, and a rotation
vector (axis-angle), unscaled, that turns it in the base frame; 20 Hz. The catalogue gives no
units: the scales are deoxys' defaults. The gripper is -1 = open, 1 = closed. Poses are homogeneous
matrices column by column; recordings may begin with a state of zeros, which is masked.
Source: UT-Austin-RPL/deoxys_control, config/osc-pose-controller.yml (action_scale),
franka_interface.py and osc_impedance.cpp.
"""

import numpy as np

from octoverse.data import gripper, poses
from octoverse.data.standard import Taken

SCALE = 0.05
"""How far the tool goes for 1 [m]."""


def arm(action: np.ndarray) -> np.ndarray:
    """Displacement and turn of the tool, from displacement and rotation vector (t, 6)."""
    return poses.of_rotation_vector(action * np.array([SCALE] * 3 + [1.0] * 3, np.float32))


def arm_of_parts(displacement: np.ndarray, turn: np.ndarray) -> np.ndarray:
    """The same, from two features."""
    return arm(np.concatenate([displacement, turn], axis=1))


def opening(width: np.ndarray, matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Opening, from the fingers' width (t, 1), real where the matrix (t, 16) is."""
    return gripper.of_franka_width(width), matrix[:, 15] != 0


def joints(angles: np.ndarray, matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Joint angles (t, 7), real where the matrix (t, 16) is."""
    return angles, matrix[:, 15] != 0


STATE = "steps/observation/state"
"""In two of the data sets: seven joints, the fingers' width, the matrix (t, 24)."""


def opening_of_state(state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Opening in such a state."""
    return opening(state[:, 7:8], state[:, 8:])


def joints_of_state(state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Joint angles in such a state."""
    return joints(state[:, :7], state[:, 8:])


OF_STATE = {
    "tool": Taken(feature=STATE, start=8, convert=poses.of_columns),
    "opening": Taken(feature=STATE, convert=opening_of_state),
    "joints": Taken(feature=STATE, convert=joints_of_state),
}
"""What is measured, from such a state."""


def measured(pose: str, width: str, angles: str) -> dict[str, Taken]:
    """What is measured, from three features: a matrix, the fingers' width, joint angles."""
    return {
        "tool": Taken(feature=pose, convert=poses.of_columns),
        "opening": Taken(features=(width, pose), convert=opening),
        "joints": Taken(features=(angles, pose), convert=joints),
    }
