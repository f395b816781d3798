from octoverse.embodiment import Pedals
from octoverse.embodiments.udacity_car import UDACITY_CAR


def test_three_cameras_of_which_the_middle_one_is_enough() -> None:
    cameras = UDACITY_CAR.cameras
    assert list(cameras) == ["front", "front_left", "front_right"]
    assert [name for name, camera in cameras.items() if not camera.optional] == ["front"]


def test_it_is_driven_by_pedals_and_stops_without() -> None:
    assert isinstance(UDACITY_CAR.action["pedals"], Pedals)
    assert UDACITY_CAR.safe_stop.kind == "zero"
