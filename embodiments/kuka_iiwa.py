"""KUKA LBR iiwa with a parallel gripper over a bin, as in QT-Opt: it moves and turns, looking down.

Source: Kalashnikov et al., "QT-Opt", 2018, section 5 and appendix: Cartesian displacement, rotation
about the vertical, gripper open and close, and ending the episode; 10 Hz by Open X-Embodiment's
data set overview.
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

KUKA_IIWA = Embodiment(
    name="kuka_iiwa",
    control_hz=10.0,
    observation={
        "primary": Camera(height=512, width=640, role="primary"),
        "tool": State(
            names=("x", "y", "z", "roll", "pitch", "yaw", "opening"),
            units=("m", "m", "m", "rad", "rad", "rad", "1"),
            low=(-1.0, -1.0, -0.2, -pi, -pi, -pi, -0.1),
            high=(1.0, 1.0, 1.2, pi, pi, pi, 1.1),
            optional=True,
        ),
        "instruction": Instruction(optional=True),
        "goal": GoalImage(camera="primary", height=512, width=640),
    },
    action={
        "arm": EndEffectorDelta(
            names=("dx", "dy", "dz", "dyaw"),
            units=("m", "m", "m", "rad"),
            low=(-0.5, -0.5, -0.5, -2.0),
            high=(0.5, 0.5, 0.5, 2.0),
        ),
        "gripper": Gripper(),
        "done": Terminate(),
    },
    safe_stop=SafeStop(kind="hold"),
)
