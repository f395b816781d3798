"""A passenger car with one to nine calibrated cameras, planned for 6.4 s ahead.

Source: Alpamayo-R1 (NVlabs/alpamayo, 2025): 16 past poses and 64 future poses at 10 Hz, x forward,
y left, in the rear-axle frame at the time of observation.
"""

from octoverse.embodiment import (
    Camera,
    Command,
    EgoHistory,
    Embodiment,
    Instruction,
    SafeStop,
    State,
    Waypoints,
)


def _camera(role: str, optional: bool = True) -> Camera:
    return Camera(height=320, width=576, role=role, calibrated=True, optional=optional)


PASSENGER_CAR = Embodiment(
    name="passenger_car",
    control_hz=10.0,
    observation={
        "front": _camera("front", optional=False),
        "front_tele": _camera("front_tele"),
        "cross_left": _camera("cross_left"),
        "cross_right": _camera("cross_right"),
        "side_left": _camera("side_left"),
        "side_right": _camera("side_right"),
        "rear_left": _camera("rear_left"),
        "rear_right": _camera("rear_right"),
        "rear": _camera("rear"),
        "ego_history": EgoHistory(steps=16, hz=10.0),
        "speed": State(names=("speed",), units=("m/s",), low=(-20.0,), high=(80.0,)),
        "command": Command(names=("left", "straight", "right", "unknown"), optional=True),
        "instruction": Instruction(optional=True),
    },
    action={"path": Waypoints(steps=64, hz=10.0)},
    safe_stop=SafeStop(kind="brake", deceleration=3.0),
)
