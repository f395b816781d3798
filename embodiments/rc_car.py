"""A 1/10-scale RC car driven by donkeycar: one wide camera, steering and throttle.

Source: donkeycar's manual, "Tub data format"; its drive loop runs at 20 Hz. donkeycar counts
steering to the left as negative; here 1 is full left (x forward, y left), and the reader converts.
"""

from octoverse.embodiment import Camera, Embodiment, Instruction, Pedals, SafeStop

RC_CAR = Embodiment(
    name="rc_car",
    control_hz=20.0,
    observation={
        "front": Camera(height=120, width=160, role="front"),
        "instruction": Instruction(optional=True),
    },
    action={"pedals": Pedals()},
    safe_stop=SafeStop(kind="zero"),
)
