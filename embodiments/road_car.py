"""The simulated passenger car of octoverse's road world.

Source: octoverse/simulation/road.py, a kinematic bicycle with actuator limits.
"""

from octoverse.embodiment import (
    Camera,
    EgoHistory,
    Embodiment,
    Instruction,
    SafeStop,
    State,
    Waypoints,
)

ROAD_CAR = Embodiment(
    name="road_car",
    control_hz=10.0,
    observation={
        "front": Camera(height=96, width=96, role="front"),
        "cross_left": Camera(height=96, width=96, role="cross_left"),
        "cross_right": Camera(height=96, width=96, role="cross_right"),
        "ego_history": EgoHistory(steps=8, hz=10.0),
        "speed": State(names=("speed",), units=("m/s",), low=(-1.0,), high=(60.0,)),
        "instruction": Instruction(),
    },
    action={"path": Waypoints(steps=30, hz=10.0)},
    safe_stop=SafeStop(kind="brake", deceleration=3.0),
)
