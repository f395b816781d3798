from octoverse.embodiment import EgoHistory, Waypoints
from octoverse.embodiments.passenger_car import PASSENGER_CAR


def test_nine_calibrated_cameras_of_which_the_front_is_enough() -> None:
    cameras = PASSENGER_CAR.cameras
    assert len(cameras) == 9
    assert all(camera.calibrated for camera in cameras.values())
    assert [name for name, camera in cameras.items() if not camera.optional] == ["front"]


def test_it_looks_back_1_6_s_and_plans_6_4_s_ahead() -> None:
    past, path = PASSENGER_CAR.observation["ego_history"], PASSENGER_CAR.action["path"]
    assert isinstance(past, EgoHistory) and past.steps / past.hz == 1.6
    assert isinstance(path, Waypoints) and path.steps / path.hz == 6.4
