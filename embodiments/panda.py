"""Franka Emika Panda with its parallel gripper, as simulated by robosuite.

Source: robosuite 1.5, "Operational Space Controller": pose deltas of at most 5 cm and 0.5 rad at
20 Hz in the robot's base frame. robosuite commands the gripper with -1 = open; its adapter
converts to 1 = open.
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

PANDA = Embodiment(
    name="panda",
    control_hz=20.0,
    observation={
        "agentview": Camera(height=128, width=128, role="primary"),
        "eye_in_hand": Camera(height=128, width=128, role="wrist", optional=True),
        "tool": State(
            names=("x", "y", "z", "roll", "pitch", "yaw", "opening"),
            units=("m", "m", "m", "rad", "rad", "rad", "1"),
            low=(-1.5, -1.5, -1.5, -pi, -pi, -pi, -0.2),
            high=(1.5, 1.5, 1.5, pi, pi, pi, 1.2),
        ),
        "instruction": Instruction(),
    },
    action={
        "arm": EndEffectorDelta(
            low=(-0.05, -0.05, -0.05, -0.5, -0.5, -0.5), high=(0.05, 0.05, 0.05, 0.5, 0.5, 0.5)
        ),
        "gripper": Gripper(),
    },
    safe_stop=SafeStop(kind="hold"),
)
