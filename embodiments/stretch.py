"""Hello Robot's Stretch: a mobile base, a lift and an arm that slides out.

`stretch` is as CMU drives it at 10 Hz; `stretch_door` opens doors from what a hand-held copy of its
gripper has seen, at 3 Hz, with its one camera at the gripper.
Source: Bahl et al., "Affordances from Human Videos", 2023; Pari et al., "The Surprising
Effectiveness of Representation Learning for Visual Imitation", 2021; rates from Open
X-Embodiment's data set overview.
"""

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

STRETCH = Embodiment(
    name="stretch",
    control_hz=10.0,
    observation={
        "primary": Camera(height=128, width=128, role="primary"),
        "tool": State(
            names=("x", "y", "z"),
            units=("m", "m", "m"),
            low=(-2.0, -2.0, -2.0),
            high=(2.0, 2.0, 2.0),
        ),
        "instruction": Instruction(optional=True),
        "goal": GoalImage(camera="primary", height=128, width=128),
    },
    action={
        "arm": EndEffectorDelta(
            low=(-0.3, -0.3, -0.3, -0.5, -0.5, -0.5), high=(0.3, 0.3, 0.3, 0.5, 0.5, 0.5)
        ),
        "gripper": Gripper(),
        "done": Terminate(),
    },
    safe_stop=SafeStop(kind="hold"),
)

STRETCH_DOOR = Embodiment(
    name="stretch_door",
    control_hz=3.0,
    observation={
        "wrist": Camera(height=720, width=960, role="wrist"),
        "instruction": Instruction(optional=True),
        "goal": GoalImage(camera="wrist", height=720, width=960),
    },
    action={
        "arm": EndEffectorDelta(
            low=(-0.3, -0.3, -0.3, -0.5, -0.5, -0.5), high=(0.3, 0.3, 0.3, 0.5, 0.5, 0.5)
        ),
        "gripper": Gripper(),
        "done": Terminate(),
    },
    safe_stop=SafeStop(kind="hold"),
)
