from octoverse.embodiment import GoalImage
from octoverse.embodiments.widowx import WIDOWX


def test_actions_are_the_seven_numbers_of_bridge_at_5_hz() -> None:
    names = [name for group in WIDOWX.action.values() for name in group.names]
    assert names == ["dx", "dy", "dz", "droll", "dpitch", "dyaw", "opening"]
    assert WIDOWX.control_hz == 5.0


def test_one_camera_is_enough() -> None:
    assert [name for name, camera in WIDOWX.cameras.items() if not camera.optional] == ["primary"]


def test_a_goal_is_what_the_primary_camera_is_to_see() -> None:
    goal = WIDOWX.observation["goal"]
    assert isinstance(goal, GoalImage) and goal.camera == "primary" and goal.optional
