"""UFACTORY's xArm: with a gripper in toy kitchens at 2 Hz, or with a stick that pushes blocks.

`xarm` works in UCSD's kitchens; `xarm_planar` is Language Table's: its stick moves in the plane of
the table, at 10 Hz.
Source: Yan et al., "ucsd kitchens Dataset", 2023; Lynch et al., "Interactive Language", 2022; rates
from Open X-Embodiment's data set overview.
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

XARM = Embodiment(
    name="xarm",
    control_hz=2.0,
    observation={
        "primary": Camera(height=480, width=640, role="primary"),
        "joints": State(
            names=tuple(f"joint_{i}" for i in range(1, 8)),
            units=("rad",) * 7,
            low=(-2 * pi,) * 7,
            high=(2 * pi,) * 7,
            optional=True,
        ),
        "instruction": Instruction(optional=True),
        "goal": GoalImage(camera="primary", height=480, width=640),
    },
    action={
        "arm": EndEffectorDelta(
            low=(-0.5, -0.5, -0.5, -pi, -pi, -pi), high=(0.5, 0.5, 0.5, pi, pi, pi)
        ),
        "gripper": Gripper(),
        "done": Terminate(),
    },
    safe_stop=SafeStop(kind="hold"),
)

XARM_PLANAR = Embodiment(
    name="xarm_planar",
    control_hz=10.0,
    observation={
        "primary": Camera(height=360, width=640, role="primary"),
        "tool": State(names=("x", "y"), units=("m", "m"), low=(-1.0, -1.0), high=(1.0, 1.0)),
        "instruction": Instruction(optional=True),
        "goal": GoalImage(camera="primary", height=360, width=640),
    },
    action={
        "arm": EndEffectorDelta(
            names=("dx", "dy"), units=("m", "m"), low=(-0.25, -0.25), high=(0.25, 0.25)
        ),
    },
    safe_stop=SafeStop(kind="hold"),
)
