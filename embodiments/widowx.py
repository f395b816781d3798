"""WidowX 250 six-joint arm with a parallel gripper, as recorded in BridgeData V2.

Source: Walke et al., "BridgeData V2", 2023, section 3: end-effector deltas at 5 Hz in the robot's
base frame. The gripper's state is about 1 when open, its action is 1 = open, 0 = closed.
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

WIDOWX = Embodiment(
    name="widowx",
    control_hz=5.0,
    observation={
        "primary": Camera(height=256, width=256, role="primary"),
        "secondary": Camera(height=256, width=256, role="secondary", optional=True),
        "tertiary": Camera(height=256, width=256, role="tertiary", optional=True),
        "tool": State(
            names=("x", "y", "z", "roll", "pitch", "yaw", "opening"),
            units=("m", "m", "m", "rad", "rad", "rad", "1"),
            low=(-1.0, -1.0, -1.0, -2 * pi, -2 * pi, -2 * pi, -0.2),
            high=(1.0, 1.0, 1.0, 2 * pi, 2 * pi, 2 * pi, 1.3),
        ),
        "instruction": Instruction(),
        "goal": GoalImage(camera="primary", height=256, width=256),
    },
    action={
        "arm": EndEffectorDelta(
            low=(-0.2, -0.2, -0.2, -1.6, -1.6, -1.6), high=(0.2, 0.2, 0.2, 1.6, 1.6, 1.6)
        ),
        "gripper": Gripper(),
    },
    safe_stop=SafeStop(kind="hold"),
)
