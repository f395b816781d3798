"""Rethink Sawyer with a parallel gripper, teleoperated with a phone as in RoboTurk, at 10 Hz.

Source: Mandlekar et al., "Scaling Robot Supervision to Hundreds of Hours with RoboTurk", 2019; the
rate from Open X-Embodiment's data set overview.
"""

from octoverse.embodiment import (
    Camera,
    Embodiment,
    EndEffectorDelta,
    GoalImage,
    Gripper,
    Instruction,
    SafeStop,
    Terminate,
)

SAWYER = Embodiment(
    name="sawyer",
    control_hz=10.0,
    observation={
        "primary": Camera(height=480, width=640, role="primary"),
        "instruction": Instruction(optional=True),
        "goal": GoalImage(camera="primary", height=480, width=640),
    },
    action={
        "arm": EndEffectorDelta(
            low=(-0.7, -0.7, -0.7, -4.0, -4.0, -4.0), high=(0.7, 0.7, 0.7, 4.0, 4.0, 4.0)
        ),
        "gripper": Gripper(),
        "done": Terminate(),
    },
    safe_stop=SafeStop(kind="hold"),
)
