import pytest

from octoverse import registry
from octoverse.embodiment import Embodiment
from octoverse.recipes.kinds import action_classes, drives, grippers, main_and_wrists, moves_tool


def load(name: str) -> Embodiment:
    body: Embodiment = registry.load("embodiment", name)
    return body


@pytest.mark.parametrize(
    ("body", "views"),
    [
        ("widowx", ["primary"]),
        ("aloha", ["high", "left_wrist", "right_wrist"]),
        ("dobot_cr5", ["wrist"]),
        ("passenger_car", ["front"]),
    ],
)
def test_the_first_camera_and_those_at_wrists_are_read(body: str, views: list[str]) -> None:
    assert main_and_wrists(load(body)) == views


def test_arms_are_told_from_cars_and_tools_from_joints() -> None:
    arm, two, car = load("widowx"), load("aloha"), load("passenger_car")
    assert [drives(body) for body in (arm, two, car)] == [False, False, True]
    assert [moves_tool(body) for body in (arm, two, car)] == [True, False, False]
    assert [grippers(body) for body in (arm, two, car)] == [1, 2, 0]


def test_bodies_of_one_class_share_its_name() -> None:
    assert action_classes(load("widowx"), 4) == [
        ("end effector delta + gripper/4x7", 4, ("arm", "gripper"))
    ]
    assert action_classes(load("google_robot"), 4) == [
        ("end effector delta + gripper/4x7", 4, ("arm", "gripper")),
        ("twist/4x3", 4, ("base",)),
        ("terminate/4x1", 4, ("done",)),
    ]
    assert action_classes(load("passenger_car"), 4) == [("waypoints/64x3", 64, ("path",))]
