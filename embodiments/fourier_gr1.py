"""Arms and hands of a Fourier GR1 humanoid, as simulated for GR00T (RoboCasa).

Arms are commanded by absolute joint angles. A hand is commanded by numbers up to 1.5 (3 for its
last two) beyond its joints' travel, which open or close it: they are no joint angles, though the
measured state is. Which joint each number is, the recordings do not say, so that they are counted.
Legs, neck and waist do not move in recordings of "GR1ArmsOnly": this body has none.
Source: NVIDIA/Isaac-GR00T, demo_data/robot_sim.PickNPlace and its meta/modality.json.
"""

from math import pi

from octoverse.embodiment import Camera, Embodiment, Instruction, JointPosition, SafeStop, State

_SIDES = ("left", "right")
_PUSH = (1.5, 1.5, 1.5, 1.5, 3.0, 3.0)


def _names(part: str, count: int) -> tuple[str, ...]:
    return tuple(f"{part}_{i}" for i in range(1, count + 1))


FOURIER_GR1 = Embodiment(
    name="fourier_gr1",
    control_hz=20.0,
    observation={
        "head": Camera(height=256, width=256, role="primary"),
        **{
            f"{side}_arm": State(
                names=_names("joint", 7), units=("rad",) * 7, low=(-pi,) * 7, high=(pi,) * 7
            )
            for side in _SIDES
        },
        **{
            f"{side}_hand": State(
                names=_names("joint", 6), units=("rad",) * 6, low=(-0.5,) * 6, high=(2.0,) * 6
            )
            for side in _SIDES
        },
        "instruction": Instruction(),
    },
    action={
        **{
            f"{side}_arm": JointPosition(
                names=_names("joint", 7), units=("rad",) * 7, low=(-pi,) * 7, high=(pi,) * 7
            )
            for side in _SIDES
        },
        **{
            f"{side}_hand": JointPosition(
                names=_names("command", 6),
                units=("1",) * 6,
                low=tuple(-push for push in _PUSH),
                high=_PUSH,
            )
            for side in _SIDES
        },
    },
    safe_stop=SafeStop(kind="hold"),
)
