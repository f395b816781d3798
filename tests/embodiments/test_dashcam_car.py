from octoverse.embodiment import JointPosition
from octoverse.embodiments.dashcam_car import DASHCAM_CAR


def test_it_looks_ahead_and_steers_with_its_wheel_in_radians() -> None:
    assert [camera.role for camera in DASHCAM_CAR.cameras.values()] == ["front"]
    wheel = DASHCAM_CAR.action["steering_wheel"]
    assert isinstance(wheel, JointPosition) and wheel.units == ("rad",)
    assert wheel.names == ("steering_wheel",)


def test_speed_may_be_unknown() -> None:
    speed = DASHCAM_CAR.observation["speed"]
    assert getattr(speed, "optional", False)
