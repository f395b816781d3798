"""A scripted hand for the tabletop tasks, deciding anew at every step from what can be seen.

It keeps no phase and no clock, so that it recovers from pushes and slips, and so that a policy
which sees the same moment can learn the same action.
"""

from dataclasses import dataclass
from math import hypot

import numpy as np

from octoverse.episode import Action
from octoverse.simulation.tabletop_kinematics import ToolPose, wrapped
from octoverse.simulation.tabletop_scene import Shape

GRASP_HEIGHT = 0.020
"""Height of the tool [m] at which the fingers close around an object on the table."""
REACH_HEIGHT = 0.085
LIFT_HEIGHT = 0.16


@dataclass(frozen=True, kw_only=True)
class Moment:
    """What the expert looks at: the tool and the named object, poses in the base frame."""

    tool: ToolPose
    opening: float
    """Between the fingers, 1 = open, 0 = closed."""
    target: ToolPose
    """The object's centre and yaw."""
    shape: Shape
    gripper_width: float
    """Between the open fingers [m]."""


def reach_action(moment: Moment, limits: np.ndarray) -> Action:
    """Go above the object, fingers open and turned to fit it."""
    x, y, yaw, distance = _offset(moment)
    height = moment.target.z - moment.shape.half_size[2] + REACH_HEIGHT
    height += _funnel(distance, yaw)
    return _action(x, y, height - moment.tool.z, yaw, 1.0, limits)


def lift_action(moment: Moment, limits: np.ndarray) -> Action:
    """Come down over the object, close around it, go up; reopen if it slipped."""
    x, y, yaw, distance = _offset(moment)
    below = moment.target.z - moment.shape.half_size[2]
    above_grasp = moment.tool.z - below - GRASP_HEIGHT
    around = distance < 0.016 and abs(yaw) < 0.20 and above_grasp < 0.014
    if around:
        width = 2 * moment.shape.half_size[1] / moment.gripper_width
        held = moment.opening < width + 0.06
        rise = LIFT_HEIGHT - moment.tool.z if held else -above_grasp
        return _action(0.0, 0.0, rise, 0.0, 0.0, limits)
    height = below + GRASP_HEIGHT + _funnel(distance, yaw)
    if moment.opening < 0.85:
        height = max(height, below + REACH_HEIGHT)
    return _action(x, y, height - moment.tool.z, yaw, 1.0, limits)


def _offset(moment: Moment) -> tuple[float, float, float, float]:
    tool, target = moment.tool, moment.target
    x, y = target.x - tool.x, target.y - tool.y
    # The turn nearest to the gripper's rest, so that it never winds up.
    yaw = wrapped(target.yaw, moment.shape.symmetry) - tool.yaw
    return x, y, yaw, hypot(x, y)


def _funnel(distance: float, yaw: float) -> float:
    """How much higher [m] the tool stays while it is not yet above the object and aligned."""
    excess = max(distance - 0.008, 0.0) * 2.5 + max(abs(yaw) - 0.10, 0.0) * 0.25
    return min(excess, 0.10)


def _action(
    x: float, y: float, z: float, yaw: float, opening: float, limits: np.ndarray
) -> dict[str, np.ndarray]:
    wanted = np.array([x, y, z, yaw])
    wanted[:2] *= min(1.0, limits[0] / max(hypot(x, y), 1e-9))  # straight, not along the axes
    return {
        "arm": np.clip(wanted, -limits, limits).astype(np.float32),
        "gripper": np.array([opening], dtype=np.float32),
    }
