"""Universal Robots' UR5 with a Robotiq gripper on a table, at 5 Hz.

Source: Chen et al., "Berkeley UR5 Demonstration Dataset", its page.
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

UR5 = Embodiment(
    name="ur5",
    control_hz=5.0,
    observation={
        "primary": Camera(height=480, width=640, role="primary"),
        "wrist": Camera(height=480, width=640, role="wrist", optional=True),
        "tool": State(
            names=("x", "y", "z", "roll", "pitch", "yaw", "opening"),
            units=("m", "m", "m", "rad", "rad", "rad", "1"),
            low=(-1.0, -1.0, -0.5, -pi, -pi, -pi, -0.1),
            high=(1.0, 1.0, 1.2, pi, pi, pi, 1.1),
            optional=True,
        ),
        "joints": State(
            names=tuple(f"joint_{i}" for i in range(1, 7)),
            units=("rad",) * 6,
            low=(-2 * pi,) * 6,
            high=(2 * pi,) * 6,
            optional=True,
        ),
        "instruction": Instruction(optional=True),
        "goal": GoalImage(camera="primary", height=480, width=640),
    },
    action={
        "arm": EndEffectorDelta(),
        "gripper": Gripper(),
        "done": Terminate(),
    },
    safe_stop=SafeStop(kind="hold"),
)
