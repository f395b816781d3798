"""FANUC's LR Mate 200iD with a parallel gripper, at 10 Hz.

Source: Zhu et al., "Fanuc Manipulation", 2023; the rate from Open X-Embodiment's data set overview.
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
)

FANUC_MATE = Embodiment(
    name="fanuc_mate",
    control_hz=10.0,
    observation={
        "primary": Camera(height=224, width=224, role="primary"),
        "wrist": Camera(height=224, width=224, role="wrist", optional=True),
        "tool": State(
            names=("x", "y", "z", "roll", "pitch", "yaw", "opening"),
            units=("m", "m", "m", "rad", "rad", "rad", "1"),
            low=(-1.2, -1.2, -0.5, -pi, -pi, -pi, -0.1),
            high=(1.2, 1.2, 1.5, pi, pi, pi, 1.1),
        ),
        "joints": State(
            names=tuple(f"joint_{i}" for i in range(1, 7)),
            units=("rad",) * 6,
            low=(-2 * pi,) * 6,
            high=(2 * pi,) * 6,
            optional=True,
        ),
        "instruction": Instruction(optional=True),
        "goal": GoalImage(camera="primary", height=224, width=224),
    },
    action={
        "arm": EndEffectorDelta(),
        "gripper": Gripper(),
    },
    safe_stop=SafeStop(kind="hold"),
)
