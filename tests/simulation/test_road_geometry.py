import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from octoverse.simulation.road_geometry import (
    APART,
    BEHIND,
    BEYOND,
    LENGTH,
    RADIUS,
    STEP,
    Road,
    draw_road,
    lay_out,
)

seeds = st.integers(0, 10_000)


def road_of(seed: int) -> Road:
    return draw_road(np.random.default_rng(seed))


@given(seeds)
def test_a_road_starts_at_the_origin_along_x(seed: int) -> None:
    np.testing.assert_allclose(road_of(seed).pose_at(np.array(0.0)), 0, atol=1e-9)


@given(seeds)
def test_samples_are_one_step_apart_and_never_bend_too_sharply(seed: int) -> None:
    road = road_of(seed)
    gaps = np.hypot(*np.diff(road.poses[:, :2], axis=0).T)
    np.testing.assert_allclose(gaps, STEP, rtol=1e-3)
    assert len(road.poses) == round((BEHIND + LENGTH + BEYOND) / STEP) + 1
    assert np.abs(road.curvature).max() <= 1 / RADIUS[0] + 1e-9


@given(seeds)
def test_a_road_does_not_come_near_itself(seed: int) -> None:
    road = road_of(seed)
    points, distance = road.poses[::16, :2], road.distance[::16]
    gap = np.hypot(*(points[:, None] - points[None]).transpose(2, 0, 1))
    far = np.abs(distance[:, None] - distance) > 60
    assert gap[far].min() > APART


@given(seeds, st.lists(st.tuples(st.floats(0, LENGTH), st.floats(-3, 3)), min_size=1, max_size=9))
def test_points_are_found_where_they_were_put(seed: int, places: list[tuple[float, float]]) -> None:
    road = road_of(seed)
    distance, offset = np.array(places).T
    found, aside = road.locate(road.aside(distance, offset))
    np.testing.assert_allclose(found, distance, atol=0.06)
    np.testing.assert_allclose(aside, offset, atol=0.01)


def test_left_is_positive() -> None:
    _, offset = lay_out(np.zeros(400)).locate(np.array([[5.0, 1.0], [5.0, -1.0]]))
    np.testing.assert_allclose(offset, [1.0, -1.0])


@given(seeds)
def test_the_mirrored_curvature_gives_the_mirrored_road(seed: int) -> None:
    road = road_of(seed)
    mirrored = lay_out(-road.curvature)
    np.testing.assert_allclose(mirrored.poses, road.poses * [1, -1, -1], atol=1e-9)


def test_left_and_right_curves_are_equally_common() -> None:
    curvature = np.stack([road_of(seed).curvature for seed in range(300)])
    left, right = (curvature > 0.01).mean(), (curvature < -0.01).mean()
    assert left > 0.2 and right > 0.2
    assert left == pytest.approx(right, rel=0.1)
    first_turn = [
        np.sign(road.curvature[road.curvature != 0][0]) for road in map(road_of, range(300))
    ]
    assert abs(np.mean(first_turn)) < 0.2


def test_one_seed_is_one_road() -> None:
    np.testing.assert_array_equal(road_of(3).poses, road_of(3).poses)
    assert not np.array_equal(road_of(3).poses, road_of(4).poses)


def test_curvature_and_pose_hold_at_the_ends() -> None:
    road = road_of(1)
    assert road.curvature_at(-1e3) == road.curvature[0]
    assert road.curvature_at(1e3) == road.curvature[-1]
    np.testing.assert_allclose(road.pose_at(np.array(1e3)), road.poses[-1], atol=1e-3)
