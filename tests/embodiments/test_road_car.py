from octoverse.embodiment import Waypoints
from octoverse.embodiments.road_car import ROAD_CAR


def test_it_plans_3_s_ahead_and_brakes_along_that_path() -> None:
    path = ROAD_CAR.action["path"]
    assert isinstance(path, Waypoints) and path.steps / path.hz == 3.0
    assert ROAD_CAR.safe_stop.kind == "brake"
