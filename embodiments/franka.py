"""Franka Emika's Panda and FR3 with the Franka Hand or a Robotiq gripper, at many rates.

Every laboratory drives it at a rate of its own, and a step of action means a step at that rate:
`franka` is 15 Hz, as in DROID; `franka_3hz` to `franka_30hz` say theirs. What they see and do is
otherwise the same: the tool's commanded displacement in the base frame, and the gripper. Pose,
opening and joints are streams of their own, since few recordings have all of them. Where
recordings say when a task is done, so does the body: `franka_3hz`, `franka_30hz`.

`franka_cable` is the cable-routing setup of Berkeley: four cameras, a gripper that keeps the cable,
and a tool that moves and turns about the vertical, commanded by fractions of the greatest velocity.
Source: Khazatsky et al., "DROID", 2024; Luo et al., "Multi-Stage Cable Routing", 2023; control
rates from Open X-Embodiment's data set overview.
"""

from math import pi

from octoverse.embodiment import (
    ActionGroup,
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

_SIDE = 256


def _camera(role: str, optional: bool = True) -> Camera:
    return Camera(height=_SIDE, width=_SIDE, role=role, optional=optional)


def _franka(
    name: str, control_hz: float, reach: float, turn: float, done: bool = False
) -> Embodiment:
    """One Franka.

    Args:
        name: Of the body.
        control_hz: Of its commands.
        reach: How far the tool is commanded in one step at most, along each axis [m].
        turn: How far it is turned, about each axis [rad].
        done: Whether it says that a task is done.
    """
    limits = (reach,) * 3 + (turn,) * 3
    action: dict[str, ActionGroup] = {
        "arm": EndEffectorDelta(low=tuple(-limit for limit in limits), high=limits),
        "gripper": Gripper(),
    }
    if done:
        action["done"] = Terminate()
    return Embodiment(
        name=name,
        control_hz=control_hz,
        observation={
            "primary": _camera("primary", optional=False),
            "secondary": _camera("secondary"),
            "wrist": _camera("wrist"),
            "tool": State(
                names=("x", "y", "z", "roll", "pitch", "yaw"),
                units=("m", "m", "m", "rad", "rad", "rad"),
                low=(-1.2, -1.2, -0.5, -pi, -pi, -pi),
                high=(1.2, 1.2, 1.5, pi, pi, pi),
                optional=True,
            ),
            "opening": State(
                names=("opening",), units=("1",), low=(-0.1,), high=(1.1,), optional=True
            ),
            "joints": State(
                names=tuple(f"joint_{i}" for i in range(1, 8)),
                units=("rad",) * 7,
                low=(-4.5,) * 7,
                high=(4.5,) * 7,
                optional=True,
            ),
            "instruction": Instruction(optional=True),
            "goal": GoalImage(camera="primary", height=_SIDE, width=_SIDE),
        },
        action=action,
        safe_stop=SafeStop(kind="hold"),
    )


FRANKA = _franka("franka", 15.0, reach=0.15, turn=0.6)
FRANKA_3HZ = _franka("franka_3hz", 3.0, reach=0.5, turn=pi, done=True)
FRANKA_10HZ = _franka("franka_10hz", 10.0, reach=0.12, turn=pi)
FRANKA_20HZ = _franka("franka_20hz", 20.0, reach=0.06, turn=0.6)
FRANKA_30HZ = _franka("franka_30hz", 30.0, reach=0.1, turn=0.6, done=True)

FRANKA_CABLE = Embodiment(
    name="franka_cable",
    control_hz=10.0,
    observation={
        "primary": Camera(height=128, width=128, role="primary"),
        "top": Camera(height=128, width=128, role="secondary", optional=True),
        "wrist_45": Camera(height=128, width=128, role="wrist", optional=True),
        "wrist_225": Camera(height=128, width=128, role="wrist", optional=True),
        "tool": State(
            names=("x", "y", "z", "roll", "pitch", "yaw"),
            units=("m", "m", "m", "rad", "rad", "rad"),
            low=(-1.2, -1.2, -0.5, -pi, -pi, -pi),
            high=(1.2, 1.2, 1.5, pi, pi, pi),
        ),
        "instruction": Instruction(optional=True),
        "goal": GoalImage(camera="primary", height=128, width=128),
    },
    action={
        # A share of the greatest velocity in each direction, for one step.
        "arm": EndEffectorDelta(
            names=("dx", "dy", "dz", "dyaw"),
            units=("1", "1", "1", "1"),
            low=(-1.0, -1.0, -1.0, -1.0),
            high=(1.0, 1.0, 1.0, 1.0),
        ),
        "done": Terminate(),
    },
    safe_stop=SafeStop(kind="hold"),
)
