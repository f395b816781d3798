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

SCALE = 0.05
"""How far the tool goes for 1 [m]."""


def arm(action: np.ndarray) -> np.ndarray:
    """Displacement and turn of the tool, from displacement and rotation vector (t, 6)."""
    return poses.of_rotation_vector(action * np.array([SCALE] * 3 + [1.0] * 3, np.float32))


def arm_of_parts(displacement: np.ndarray, turn: np.ndarray) -> np.ndarray:
    """The same, from two features."""
    return arm(np.concatenate([displacement, turn], axis=1))


def tool(matrix: np.ndarray, width: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pose of the tool and its opening, from a matrix (t, 16) and the fingers' width (t, 1)."""
    pose, real = poses.of_columns(matrix)
    return np.concatenate([pose, gripper.of_franka_width(width)], axis=1), real


def joints(angles: np.ndarray, matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Joint angles (t, 7), real where the matrix (t, 16) is."""
    return angles, matrix[:, 15] != 0


def tool_of_state(state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same of one state (t, 24): seven joints, the width, the matrix."""
    return tool(state[:, 8:], state[:, 7:8])


def joints_of_state(state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Joint angles of such a state."""
    return joints(state[:, :7], state[:, 8:])
