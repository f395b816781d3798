"""Kinova Jaco 2 on a table: the tool is moved, not turned, at 10 Hz.

Its fingers' joints are measured; how far they turn from open to closed is not documented, so they
are given as angles.
Source: clvrai/clvr_jaco_play_dataset, README.
"""

from math import pi

from octoverse.embodiment import (
    Camera,
    Embodiment,
    EndEffectorDelta,
    GoalImage,
    Gripper,
    Instruction,
    SafeStop,
    State,
    Terminate,
)

JACO = Embodiment(
    name="jaco",
    control_hz=10.0,
    observation={
        "primary": Camera(height=224, width=224, role="primary"),
        "wrist": Camera(height=224, width=224, role="wrist", optional=True),
        "tool": State(
            names=("x", "y", "z", "roll", "pitch", "yaw"),
            units=("m", "m", "m", "rad", "rad", "rad"),
            low=(-1.0, -1.0, -0.2, -pi, -pi, -pi),
            high=(1.0, 1.0, 1.2, pi, pi, pi),
        ),
        "fingers": State(
            names=("finger_1", "finger_2"), units=("rad", "rad"), low=(-0.2, -0.2), high=(1.6, 1.6)
        ),
        "instruction": Instruction(optional=True),
        "goal": GoalImage(camera="primary", height=224, width=224),
    },
    action={
        "arm": EndEffectorDelta(
            names=("dx", "dy", "dz"),
            units=("m", "m", "m"),
            low=(-0.05, -0.05, -0.05),
            high=(0.05, 0.05, 0.05),
        ),
        "gripper": Gripper(),
        "done": Terminate(),
    },
    safe_stop=SafeStop(kind="hold"),
)
