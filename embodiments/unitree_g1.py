"""Upper body of a Unitree G1 humanoid with two Inspire hands, teleoperated.

Arms are commanded by absolute joint angles. Hand values are shares of each finger's travel; which
end is open is not known of the recordings, so that they are no grippers here.
Source: unitreerobotics/unitree_ros, robots/g1_description (names and limits of the joints);
YifanTian07/G1-policy-train (what is recorded, 30 Hz).
"""

from octoverse.embodiment import Camera, Embodiment, Instruction, JointPosition, SafeStop, State

_LEFT_ARM = {
    "shoulder_pitch": (-3.0892, 2.6704),
    "shoulder_roll": (-1.5882, 2.2515),
    "shoulder_yaw": (-2.618, 2.618),
    "elbow": (-1.0472, 2.0944),
    "wrist_roll": (-1.9723, 1.9723),
    "wrist_pitch": (-1.6145, 1.6145),
    "wrist_yaw": (-1.6145, 1.6145),
}
_RIGHT_ARM = {**_LEFT_ARM, "shoulder_roll": (-2.2515, 1.5882)}
_FINGERS = ("pinky", "ring", "middle", "index", "thumb_bend", "thumb_rotation")

_ARMS = tuple(f"{side}_{name}" for side in ("left", "right") for name in _LEFT_ARM)
_LIMITS = (*_LEFT_ARM.values(), *_RIGHT_ARM.values())
_LOW, _HIGH = (tuple(limit[end] for limit in _LIMITS) for end in (0, 1))
_HANDS = tuple(f"{side}_{name}" for side in ("left", "right") for name in _FINGERS)

UNITREE_G1 = Embodiment(
    name="unitree_g1",
    control_hz=30.0,
    observation={
        "head": Camera(height=480, width=640, role="primary"),
        "arms": State(names=_ARMS, units=("rad",) * 14, low=_LOW, high=_HIGH),
        "hands": State(names=_HANDS, units=("1",) * 12, low=(0.0,) * 12, high=(1.0,) * 12),
        "instruction": Instruction(),
    },
    action={
        "arms": JointPosition(names=_ARMS, units=("rad",) * 14, low=_LOW, high=_HIGH),
        "hands": JointPosition(names=_HANDS, units=("1",) * 12, low=(0.0,) * 12, high=(1.0,) * 12),
    },
    safe_stop=SafeStop(kind="hold"),
)
