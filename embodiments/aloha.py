"""ALOHA: two ViperX 300 arms of six joints with parallel grippers, led by two WidowX, at 50 Hz.

Joints are in the order waist, shoulder, elbow, forearm roll, wrist angle, wrist rotation. Grippers
are scaled so that 1 = open and 0 = closed, in the state and in the action.
Source: Zhao et al., "Learning Fine-Grained Bimanual Manipulation with Low-Cost Hardware", 2023, and
its code, tonyzhaozh/aloha: constants.py and one_side_teleop.py.
"""

from math import pi

from octoverse.embodiment import (
    Camera,
    Embodiment,
    GoalImage,
    Gripper,
    Instruction,
    JointPosition,
    SafeStop,
    State,
)

_JOINTS = ("waist", "shoulder", "elbow", "forearm_roll", "wrist_angle", "wrist_rotate")
_ARMS = tuple(f"{side}_{joint}" for side in ("left", "right") for joint in _JOINTS)
_GRIPPERS = ("left_opening", "right_opening")


def _camera(role: str, optional: bool = True) -> Camera:
    return Camera(height=480, width=640, role=role, optional=optional)


ALOHA = Embodiment(
    name="aloha",
    control_hz=50.0,
    observation={
        "high": _camera("primary", optional=False),
        "low": _camera("secondary"),
        "left_wrist": _camera("left_wrist"),
        "right_wrist": _camera("right_wrist"),
        "joints": State(names=_ARMS, units=("rad",) * 12, low=(-pi,) * 12, high=(pi,) * 12),
        "grippers": State(names=_GRIPPERS, units=("1", "1"), low=(-0.2, -0.2), high=(1.3, 1.3)),
        "instruction": Instruction(optional=True),
        "goal": GoalImage(camera="high", height=480, width=640),
    },
    action={
        "joints": JointPosition(names=_ARMS, units=("rad",) * 12, low=(-pi,) * 12, high=(pi,) * 12),
        "grippers": Gripper(names=_GRIPPERS, units=("1", "1"), low=(0.0, 0.0), high=(1.0, 1.0)),
    },
    safe_stop=SafeStop(kind="hold"),
)
