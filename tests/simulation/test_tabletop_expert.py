"""Tests for octoverse/simulation/tabletop_expert.py."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from octoverse.simulation.tabletop_expert import Moment, lift_action, reach_action
from octoverse.simulation.tabletop_kinematics import ToolPose
from octoverse.simulation.tabletop_scene import SHAPES

LIMITS = np.array([0.02, 0.02, 0.02, 0.2])
PLACES = st.builds(
    ToolPose,
    st.floats(0.24, 0.6),
    st.floats(-0.24, 0.24),
    st.floats(0.016, 0.3),
    st.floats(-1.3, 1.3),
)


def _moment(
    tool: ToolPose,
    *,
    opening: float = 1.0,
    yaw: float = 0.0,
    z: float = 0.0225,
    shape: str = "cube",
) -> Moment:
    target = ToolPose(0.45, 0.0, z, yaw)
    return Moment(
        tool=tool, opening=opening, target=target, shape=SHAPES[shape], gripper_width=0.08
    )


@given(PLACES, PLACES, st.floats(0, 1), st.sampled_from(sorted(SHAPES)))
def test_an_action_is_within_the_limits(
    tool: ToolPose, target: ToolPose, opening: float, shape: str
) -> None:
    moment = Moment(
        tool=tool, opening=opening, target=target, shape=SHAPES[shape], gripper_width=0.08
    )
    for act in (reach_action, lift_action):
        action = act(moment, LIMITS)
        assert (np.abs(action["arm"]) <= LIMITS + 1e-6).all()
        assert np.hypot(*action["arm"][:2]) <= LIMITS[0] + 1e-6
        assert action["gripper"] in (0, 1)


def test_it_goes_straight_to_the_object_and_not_along_the_axes() -> None:
    action = lift_action(_moment(ToolPose(0.30, -0.05, 0.2, 0.0)), LIMITS)
    assert action["arm"][1] / action["arm"][0] == pytest.approx(0.05 / 0.15, rel=1e-5)


def test_it_stays_high_until_it_is_above_the_object_and_turned_to_fit() -> None:
    low = ToolPose(0.45, 0.06, 0.05, 0.0)
    assert lift_action(_moment(low), LIMITS)["arm"][2] > 0.01
    above = ToolPose(0.45, 0.0, 0.06, 0.0)
    assert lift_action(_moment(above), LIMITS)["arm"][2] < -0.01
    turned = lift_action(_moment(above, yaw=0.9, shape="block"), LIMITS)
    assert turned["arm"][2] > 0.01
    assert turned["arm"][3] == pytest.approx(0.2)


def test_around_the_object_it_closes_and_once_closed_it_rises() -> None:
    around = ToolPose(0.45, 0.0, 0.02, 0.0)
    closing = lift_action(_moment(around, opening=1.0), LIMITS)
    assert closing["gripper"] == 0
    assert closing["arm"][2] == pytest.approx(0.0, abs=1e-6)
    held = lift_action(_moment(around, opening=0.56), LIMITS)
    assert held["gripper"] == 0
    assert held["arm"][2] == pytest.approx(0.02)


def test_it_keeps_holding_on_the_way_up() -> None:
    up = lift_action(_moment(ToolPose(0.45, 0.0, 0.10, 0.0), opening=0.56, z=0.1025), LIMITS)
    assert up["gripper"] == 0
    assert up["arm"][2] > 0.01


def test_it_reopens_above_an_object_that_slipped() -> None:
    slipped = lift_action(_moment(ToolPose(0.45, 0.0, 0.10, 0.0), opening=0.2), LIMITS)
    assert slipped["gripper"] == 1
    closed_low = lift_action(_moment(ToolPose(0.45, 0.05, 0.03, 0.0), opening=0.2), LIMITS)
    assert closed_low["gripper"] == 1
    assert closed_low["arm"][2] == pytest.approx(0.02)


@pytest.mark.parametrize(("shape", "symmetry"), [("cube", np.pi / 2), ("block", np.pi)])
def test_a_turn_that_looks_the_same_is_treated_the_same(shape: str, symmetry: float) -> None:
    tool = ToolPose(0.40, 0.03, 0.1, 0.1)
    plain = lift_action(_moment(tool, yaw=0.4, shape=shape), LIMITS)
    turned = lift_action(_moment(tool, yaw=0.4 - symmetry, shape=shape), LIMITS)
    assert np.allclose(plain["arm"], turned["arm"], atol=1e-6)


def test_reaching_stops_above_the_object_with_open_fingers() -> None:
    there = reach_action(_moment(ToolPose(0.45, 0.0, 0.085, 0.0)), LIMITS)
    assert np.allclose(there["arm"], 0, atol=1e-6)
    assert there["gripper"] == 1
