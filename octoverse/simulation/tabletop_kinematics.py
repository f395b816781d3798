"""Where the tabletop arm's tool is, and the joint angles that put it elsewhere, in closed form.

The tool always points down and the forearm does not roll, so that the arm is a turret with two
links in a vertical plane. Lengths are those of assets/tabletop.xml.
"""

from math import acos, atan2, cos, hypot, pi, sin
from typing import NamedTuple

import numpy as np

SHOULDER_HEIGHT = 0.22
UPPER_ARM = 0.36
FOREARM = 0.34
WRIST_TO_TOOL = 0.165
REACH = UPPER_ARM + FOREARM
JOINTS = ("turret", "shoulder", "elbow", "roll", "wrist", "hand")


class ToolPose(NamedTuple):
    """Point between the finger tips [m] and turn about the vertical [rad], in the base frame.

    At yaw 0 the fingers open along y.
    """

    x: float
    y: float
    z: float
    yaw: float


def joints_for(pose: ToolPose) -> np.ndarray:
    """Joint angles [rad], float64 (6,), in the order of JOINTS, elbow up.

    Raises:
        ValueError: if the arm is too short for the pose.
    """
    radius, height = hypot(pose.x, pose.y), pose.z + WRIST_TO_TOOL - SHOULDER_HEIGHT
    distance = hypot(radius, height)
    if not abs(UPPER_ARM - FOREARM) < distance < REACH:
        raise ValueError(
            f"pose: expected a wrist {abs(UPPER_ARM - FOREARM):.2f} to {REACH:.2f} m from the "
            f"shoulder, got {distance:.3f} m. Clamp the pose to the workspace."
        )
    square = distance**2 - UPPER_ARM**2 - FOREARM**2
    elbow = acos(square / (2 * UPPER_ARM * FOREARM))
    shoulder = atan2(radius, height) - atan2(FOREARM * sin(elbow), UPPER_ARM + FOREARM * cos(elbow))
    turret = atan2(pose.y, pose.x)
    return np.array([turret, shoulder, elbow, 0.0, pi - shoulder - elbow, turret - pose.yaw])


def pose_from_site(position: np.ndarray, rotation: np.ndarray) -> ToolPose:
    """Tool pose from the tool site's position (3,) and row-major rotation matrix (9,)."""
    x, y, z = position.tolist()
    return ToolPose(x, y, z, atan2(rotation[3], rotation[0]))


def wrapped(angle: float, period: float = 2 * pi) -> float:
    """The same angle [rad] between minus and plus half a period."""
    return (angle + period / 2) % period - period / 2
