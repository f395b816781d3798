"""The mobile manipulator of RT-1 and BC-Z (Everyday Robots): an arm of seven joints on a base.

`google_robot` is as RT-1 drives it, arm and base together at 3 Hz; `google_robot_10hz` as BC-Z
does, the arm alone at 10 Hz.
Source: Brohan et al., "RT-1", 2022, section 5.1; Jang et al., "BC-Z", 2021, section 4; control
rates from Open X-Embodiment's data set overview.
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
    Twist,
)

_TOOL = State(
    names=("x", "y", "z", "roll", "pitch", "yaw", "opening"),
    units=("m", "m", "m", "rad", "rad", "rad", "1"),
    low=(-1.0, -1.5, -0.2, -pi, -pi, -pi, -0.1),
    high=(1.5, 1.5, 2.0, pi, pi, pi, 1.1),
    optional=True,
)

GOOGLE_ROBOT = Embodiment(
    name="google_robot",
    control_hz=3.0,
    observation={
        "primary": Camera(height=256, width=320, role="primary"),
        "tool": _TOOL,
        "instruction": Instruction(optional=True),
        "goal": GoalImage(camera="primary", height=256, width=320),
    },
    action={
        "arm": EndEffectorDelta(
            low=(-0.5, -0.5, -0.5, -1.6, -1.6, -1.6), high=(0.5, 0.5, 0.5, 1.6, 1.6, 1.6)
        ),
        "gripper": Gripper(),
        "base": Twist(low=(-1.5, -0.5, -1.5), high=(1.5, 0.5, 1.5)),
        "done": Terminate(),
    },
    safe_stop=SafeStop(kind="hold"),
)

GOOGLE_ROBOT_10HZ = Embodiment(
    name="google_robot_10hz",
    control_hz=10.0,
    observation={
        "primary": Camera(height=171, width=213, role="primary"),
        "tool": _TOOL,
        "instruction": Instruction(optional=True),
        "goal": GoalImage(camera="primary", height=171, width=213),
    },
    action={
        "arm": EndEffectorDelta(
            low=(-0.3, -0.3, -0.3, -0.8, -0.8, -0.8), high=(0.3, 0.3, 0.3, 0.8, 0.8, 0.8)
        ),
        "gripper": Gripper(),
    },
    safe_stop=SafeStop(kind="hold"),
)
