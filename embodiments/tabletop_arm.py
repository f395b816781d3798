"""The simulated six-joint arm of octoverse's tabletop world, with a parallel gripper.

Source: octoverse/simulation/tabletop.py; its actions are those of BridgeData V2 without roll and
pitch, since the tool always points down.
"""

from math import pi

from octoverse.embodiment import (
    Camera,
    Embodiment,
    EndEffectorDelta,
    Gripper,
    Instruction,
    SafeStop,
    State,
)

TABLETOP_ARM = Embodiment(
    name="tabletop_arm",
    control_hz=10.0,
    observation={
        "table": Camera(height=96, width=96, role="primary"),
        "wrist": Camera(height=96, width=96, role="wrist"),
        "tool": State(
            names=("x", "y", "z", "yaw", "opening"),
            units=("m", "m", "m", "rad", "1"),
            low=(-1.0, -1.0, -0.2, -pi, -0.2),
            high=(1.0, 1.0, 1.0, pi, 1.2),
        ),
        "instruction": Instruction(),
    },
    action={
        "arm": EndEffectorDelta(
            names=("dx", "dy", "dz", "dyaw"),
            units=("m", "m", "m", "rad"),
            low=(-0.02, -0.02, -0.02, -0.2),
            high=(0.02, 0.02, 0.02, 0.2),
        ),
        "gripper": Gripper(),
    },
    safe_stop=SafeStop(kind="hold"),
)
