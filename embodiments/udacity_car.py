"""The car of Udacity's behavioural cloning simulator: three cameras side by side, two pedals.

Source: udacity/self-driving-car-sim: images of 320 x 160, up to 25 degrees of steering, 30 miles
an hour. It counts steering to the right as positive; here 1 is full left, and the reader converts.
"""

from octoverse.embodiment import Camera, Embodiment, Instruction, Pedals, SafeStop, State

UDACITY_CAR = Embodiment(
    name="udacity_car",
    control_hz=10.0,
    observation={
        "front": Camera(height=160, width=320, role="front"),
        "front_left": Camera(height=160, width=320, role="front_left", optional=True),
        "front_right": Camera(height=160, width=320, role="front_right", optional=True),
        "speed": State(names=("speed",), units=("m/s",), low=(-5.0,), high=(20.0,)),
        "instruction": Instruction(optional=True),
    },
    action={"pedals": Pedals()},
    safe_stop=SafeStop(kind="zero"),
)
