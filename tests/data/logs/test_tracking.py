import numpy as np
import pytest

from octoverse.data.logs.tracking import velocities


def test_velocity_is_the_difference_of_neighbours() -> None:
    times = np.array([0, 0, 1, 1, 2]) * 500_000_000
    who = np.array(["a", "b", "a", "b", "a"])
    places = np.array([[0, 0, 9], [5, 5, 9], [1, 0, 9], [5, 4, 9], [3, 0, 9]], float)
    got = velocities(times, who, places, within=1.0)
    assert got.tolist() == [[2, 0], [0, -2], [3, 0], [0, -2], [4, 0]]


def test_order_of_rows_does_not_matter() -> None:
    rng = np.random.default_rng(0)
    times, who = np.repeat(np.arange(20), 3) * 10**8, np.tile(["a", "b", "c"], 20)
    places = rng.normal(size=(60, 2))
    mixed = rng.permutation(60)
    straight = velocities(times, who, places, within=1.0)
    assert np.array_equal(
        velocities(times[mixed], who[mixed], places[mixed], within=1.0), straight[mixed]
    )


def test_nothing_is_made_up_across_a_gap_or_from_one_sighting() -> None:
    times = np.array([0, 1, 9, 20]) * 10**9
    places = np.array([[0, 0], [1, 0], [2, 0], [3, 0]], float)
    got = velocities(times, np.array(["a", "a", "a", "b"]), places, within=1.5)
    assert got[:2].tolist() == [[1, 0], [1, 0]]
    assert np.isnan(got[2:]).all()
    assert velocities(times[:0], np.array([], str), places[:0], within=1.0).shape == (0, 2)


@pytest.mark.parametrize("speed", [0.5, 30.0])
def test_steady_motion_is_found(speed: float) -> None:
    times = np.arange(5) * 10**8
    places = np.stack([np.arange(5) * 0.1 * speed, np.zeros(5)], axis=1)
    got = velocities(times, np.array(["a"] * 5), places, within=0.5)
    assert got[:, 0] == pytest.approx(speed)
