"""DLR's EDAN: a wheelchair with a light-weight arm and a five-finger hand, at 5 Hz.

Source: Vogel et al., "EDAN", 2020; Quere et al., "Shared Control Templates for Assistive Robotics",
2020; the rate from Open X-Embodiment's data set overview.
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

EDAN = Embodiment(
    name="edan",
    control_hz=5.0,
    observation={
        "primary": Camera(height=360, width=640, role="primary"),
        "tool": State(
            names=("x", "y", "z", "roll", "pitch", "yaw", "opening"),
            units=("m", "m", "m", "rad", "rad", "rad", "1"),
            low=(-1.5, -1.5, -1.5, -pi, -pi, -pi, -0.1),
            high=(1.5, 1.5, 1.5, pi, pi, pi, 1.1),
        ),
        "instruction": Instruction(optional=True),
        "goal": GoalImage(camera="primary", height=360, width=640),
    },
    action={
        "arm": EndEffectorDelta(
            low=(-0.3, -0.3, -0.3, -0.5, -0.5, -0.5), high=(0.3, 0.3, 0.3, 0.5, 0.5, 0.5)
        ),
        "gripper": Gripper(),
    },
    safe_stop=SafeStop(kind="hold"),
)
