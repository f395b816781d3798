"""A car with a dashcam that steers: one camera ahead, the angle of the steering wheel.

It looks and steers ten times a second, as PilotNet did: higher rates show nearly the same again
(Bojarski et al., "End to End Learning for Self-Driving Cars", 2016). The wheel is positive to the
left; one and a half turns are as far as a passenger car's goes, and a little more.
"""

from octoverse.embodiment import Camera, Embodiment, Instruction, JointPosition, SafeStop, State

DASHCAM_CAR = Embodiment(
    name="dashcam_car",
    control_hz=10.0,
    observation={
        "front": Camera(height=256, width=455, role="front"),
        "speed": State(names=("speed",), units=("m/s",), low=(-20.0,), high=(80.0,), optional=True),
        "instruction": Instruction(optional=True),
    },
    action={
        "steering_wheel": JointPosition(
            names=("steering_wheel",), units=("rad",), low=(-10.5,), high=(10.5,)
        )
    },
    safe_stop=SafeStop(kind="hold"),
)
