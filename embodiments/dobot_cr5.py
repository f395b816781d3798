"""Dobot CR5 six-axis arm with a Robotiq 2F-85 gripper and a camera on the wrist.

Its action is joint velocity at 10 Hz; the gripper is commanded and not measured.
Source: Dobot CR5 user guide, "Technical specifications": +-360 degrees (+-160 at joint 3), 180
degrees per second; HuangJunkai2023/CR5_TCP_test, lerobot_data.
"""

from math import pi

from octoverse.embodiment import (
    Camera,
    Embodiment,
    Gripper,
    Instruction,
    JointVelocity,
    SafeStop,
    State,
)

_JOINTS = tuple(f"joint_{i}" for i in range(1, 7))

DOBOT_CR5 = Embodiment(
    name="dobot_cr5",
    control_hz=10.0,
    observation={
        "wrist": Camera(height=480, width=640, role="wrist"),
        "joints": State(names=_JOINTS, units=("rad",) * 6, low=(-2 * pi,) * 6, high=(2 * pi,) * 6),
        "instruction": Instruction(),
    },
    action={
        "arm": JointVelocity(names=_JOINTS, units=("rad/s",) * 6, low=(-pi,) * 6, high=(pi,) * 6),
        "gripper": Gripper(),
    },
    safe_stop=SafeStop(kind="hold"),
)
