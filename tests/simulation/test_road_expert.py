import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from octoverse.motion import compose
from octoverse.simulation.road_expert import ExpertConfig, RoadExpert, speed_profile
from octoverse.simulation.road_geometry import BEHIND, LENGTH, STEP, draw_road, lay_out

CONFIG = ExpertConfig()
STRAIGHT = lay_out(np.zeros(1200))
seeds = st.integers(0, 10_000)
offsets, errors = st.floats(-0.8, 0.8), st.floats(-0.2, 0.2)


def expert_of(seed: int) -> RoadExpert:
    return RoadExpert(draw_road(np.random.default_rng(seed)))


def pose_beside(expert: RoadExpert, distance: float, offset: float, error: float) -> np.ndarray:
    lane = expert.road.pose_at(np.array(distance))
    return compose(lane, np.array([0.0, offset, error]))


@given(seeds)
def test_the_profile_keeps_comfort_in_every_curve(seed: int) -> None:
    expert = expert_of(seed)
    lateral = expert.profile**2 * np.abs(expert.road.curvature)
    assert lateral.max() < 1.25 * CONFIG.lateral_acceleration
    along = np.gradient(expert.profile**2 / 2, STEP)
    assert along.min() > -1.1 * CONFIG.braking and along.max() < 1.1 * CONFIG.acceleration
    assert expert.profile.max() <= CONFIG.cruise + 1e-9


def test_the_profile_knows_nothing_beyond_what_braking_takes() -> None:
    bend = np.zeros(1200)
    bend[800:] = 1 / 12
    far = speed_profile(lay_out(bend), CONFIG)
    nothing = speed_profile(STRAIGHT, CONFIG)
    seen_from = 800 - round(25.0 / STEP)
    np.testing.assert_array_equal(far[:seen_from], nothing[:seen_from])
    assert far[799] < nothing[799] - 2.0


@given(seeds, st.floats(0, LENGTH), offsets, errors, st.floats(0, 10))
def test_a_plan_begins_at_the_car_and_ends_in_the_lane(
    seed: int, distance: float, offset: float, error: float, speed: float
) -> None:
    expert = expert_of(seed)
    pose = pose_beside(expert, distance, offset, error)
    plan = expert.plan(pose, speed, 30, 10.0)
    assert plan.shape == (30, 3)
    assert np.hypot(*plan[0, :2]) <= speed * 0.1 + 0.35
    world = compose(pose, plan)
    _, aside = expert.road.locate(world[:, :2])
    travelled = np.hypot(*np.diff(plan[:, :2], axis=0).T).sum()
    # Critically damped: what is left after the distance driven, and a bit for heading error.
    left = (abs(offset) + (abs(offset) / 6 + 0.3) * travelled) * np.exp(-travelled / 6)
    assert abs(aside[-1]) <= 1.2 * left + 0.05


@given(offsets, errors, st.floats(1, 9))
def test_plans_are_the_same_on_the_left_and_on_the_right(
    offset: float, error: float, speed: float
) -> None:
    curved = draw_road(np.random.default_rng(5))
    left, right = RoadExpert(curved), RoadExpert(lay_out(-curved.curvature))
    here = left.plan(pose_beside(left, 60.0, offset, error), speed, 30, 10.0)
    there = right.plan(pose_beside(right, 60.0, -offset, -error), speed, 30, 10.0)
    np.testing.assert_allclose(here, there * [1, -1, -1], atol=1e-6)


@given(seeds, offsets, errors, st.integers(1, 15))
def test_who_follows_the_plan_is_given_the_same_plan_again(
    seed: int, offset: float, error: float, steps: int
) -> None:
    expert = expert_of(seed)
    pose = pose_beside(expert, 50.0, offset, error)
    plan = compose(pose, expert.plan(pose, 6.0, 30, 10.0))
    before, later = plan[steps - 1], plan[steps]
    speed = float(np.hypot(*(later - before)[:2])) * 10
    again = compose(before, expert.plan(before, speed, 30 - steps, 10.0))
    assert np.hypot(*(again - plan[steps:])[:, :2].T).mean() < 0.1


@given(st.floats(-0.8, 0.8), st.sampled_from([-1 / 15, 1 / 15]))
def test_rows_are_spaced_by_the_speed_also_beside_the_centre_of_a_curve(
    offset: float, curvature: float
) -> None:
    expert = RoadExpert(lay_out(np.full(1200, curvature)))
    speed = expert.speed_at(20.0)
    plan = expert.plan(pose_beside(expert, 20.0, offset, 0.0), speed, 10, 10.0)
    gaps = np.hypot(*np.diff(plan[:, :2], axis=0).T)
    np.testing.assert_allclose(gaps, speed / 10, rtol=0.01)


def test_headings_lie_along_the_path() -> None:
    expert = expert_of(2)
    plan = expert.plan(pose_beside(expert, 80.0, 0.6, 0.1), 7.0, 30, 10.0)
    steps = np.diff(plan[:, :2], axis=0)
    middle = (plan[1:, 2] + plan[:-1, 2]) / 2
    np.testing.assert_allclose(np.arctan2(steps[:, 1], steps[:, 0]), middle, atol=0.03)


def test_it_drives_off_from_a_stand_and_slows_from_too_fast() -> None:
    expert = RoadExpert(STRAIGHT)
    for speed in (0.0, 14.0):
        plan = expert.plan(np.zeros(3), speed, 60, 10.0)
        last = np.hypot(*(plan[-1] - plan[-2])[:2]) * 10
        assert last == pytest.approx(CONFIG.cruise, abs=1.0)


def test_a_car_across_the_road_still_gets_a_finite_plan() -> None:
    expert = expert_of(7)
    for heading in (np.pi / 2, np.pi, -2.0):
        plan = expert.plan(pose_beside(expert, 90.0, 5.0, heading), 8.0, 30, 10.0)
        assert np.isfinite(plan).all()


def test_wanted_speeds_hold_beyond_the_ends() -> None:
    expert = expert_of(0)
    assert expert.speed_at(-BEHIND - 50) == pytest.approx(expert.profile[0])
    assert expert.speed_at(1e4) == pytest.approx(expert.profile[-1], abs=1e-2)
