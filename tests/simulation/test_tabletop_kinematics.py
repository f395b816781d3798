"""Tests for octoverse/simulation/tabletop_kinematics.py."""

from math import cos, hypot, pi, sin

import mujoco
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from octoverse.simulation.tabletop_kinematics import (
    JOINTS,
    REACH,
    ToolPose,
    joints_for,
    pose_from_site,
    wrapped,
)
from octoverse.simulation.tabletop_scene import model_for
from octoverse.simulation.tabletop_world import WORKSPACE

LOW, HIGH = WORKSPACE
POSES = st.builds(
    ToolPose,
    *(st.floats(low, high) for low, high in zip(LOW, HIGH, strict=True)),
)


def _placed(pose: ToolPose) -> tuple[mujoco.MjModel, mujoco.MjData]:
    model = model_for(("cube", "block"))
    data = mujoco.MjData(model)
    for name, angle in zip(JOINTS, joints_for(pose), strict=True):
        data.joint(name).qpos = angle
    mujoco.mj_forward(model, data)
    return model, data


@given(POSES)
@settings(max_examples=200, deadline=None)
def test_the_arm_goes_where_it_is_told_pointing_down(pose: ToolPose) -> None:
    _, data = _placed(pose)
    site = data.site("tool")
    found = pose_from_site(site.xpos, site.xmat)
    assert np.allclose(found, pose, atol=1e-9)
    assert np.allclose(data.body("hand").xmat.reshape(3, 3)[:, 2], [0, 0, -1], atol=1e-9)


@given(POSES)
@settings(max_examples=200, deadline=None)
def test_every_pose_of_the_workspace_is_within_the_joints_limits(pose: ToolPose) -> None:
    model = model_for(("cube", "block"))
    for name, angle in zip(JOINTS, joints_for(pose), strict=True):
        low, high = model.joint(name).range
        assert low < angle < high, name


def test_at_yaw_zero_the_fingers_open_along_y() -> None:
    _, data = _placed(ToolPose(0.4, 0.1, 0.1, 0.0))
    data.joint("left_finger").qpos = 0.04
    data.joint("right_finger").qpos = 0.04
    mujoco.mj_kinematics(data.model, data)
    gap = data.geom("left_pad").xpos - data.geom("right_pad").xpos
    assert np.allclose(np.abs(gap), [0, 0.09, 0], atol=1e-9)


@given(st.floats(0.72, 3.0), st.floats(-pi, pi))
def test_a_pose_out_of_reach_is_refused(radius: float, bearing: float) -> None:
    pose = ToolPose(radius * cos(bearing), radius * sin(bearing), 0.05, 0.0)
    assert hypot(pose.x, pose.y) > REACH
    with pytest.raises(ValueError, match=r"pose: expected a wrist 0\.02 to 0\.70 m from the"):
        joints_for(pose)


@given(st.floats(-20, 20), st.sampled_from([pi / 2, pi, 2 * pi]))
def test_a_wrapped_angle_is_the_same_angle_nearest_to_zero(angle: float, period: float) -> None:
    near = wrapped(angle, period)
    assert -period / 2 <= near <= period / 2
    turns = (angle - near) / period
    assert abs(turns - round(turns)) < 1e-9
