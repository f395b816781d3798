import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from octoverse.motion import compose, relative
from octoverse.servers.odometry import Odometry

HZ = 10.0


def drive(speed: float, yaw_rate: float, steps: int) -> np.ndarray:
    """Where a car is every 0.1 s, (steps, 3)."""
    poses, pose = [], np.zeros(3)
    for _ in range(steps):
        poses.append(pose)
        pose = compose(pose, np.array([speed / HZ, 0.0, yaw_rate / HZ]))
    return np.stack(poses)


def history(poses: np.ndarray, now: int, steps: int = 4) -> np.ndarray:
    rows = np.clip(np.arange(now - steps + 1, now + 1), 0, None)
    return relative(poses[now], poses[rows])


@given(st.floats(-5, 20), st.floats(-0.5, 0.5), st.integers(0, 20))
def test_short_histories_give_a_long_way(speed: float, yaw_rate: float, then: int) -> None:
    poses, odometry = drive(speed, yaw_rate, 40), Odometry(HZ)
    for now in range(3, 40, 2):
        odometry.update(now * 10**8, history(poses, now))
    moved = odometry.since(then * 10**8)
    assert moved is not None
    assert np.allclose(moved, relative(poses[then], poses[39]), atol=1e-6)


def test_between_two_frames_it_is_linear() -> None:
    odometry = Odometry(HZ)
    odometry.update(300_000_000, np.array([[-3.0, 0, 0], [-2, 0, 0], [-1, 0, 0], [0, 0, 0]]))
    moved = odometry.since(150_000_000)
    assert moved is not None
    assert np.allclose(moved, [1.5, 0, 0])


@pytest.mark.parametrize("then", [-1, 3 * 10**8 + 1])
def test_what_it_has_not_seen_is_not_known(then: int) -> None:
    odometry = Odometry(HZ)
    assert odometry.since(0) is None
    odometry.update(3 * 10**8, np.zeros((4, 3)))
    assert odometry.since(0) is not None
    assert odometry.since(then) is None


def test_a_gap_longer_than_the_history_breaks_the_track() -> None:
    odometry = Odometry(HZ)
    odometry.update(3 * 10**8, np.zeros((4, 3)))
    odometry.update(9 * 10**8, np.zeros((4, 3)))
    assert odometry.since(3 * 10**8) is None
    assert odometry.since(6 * 10**8) is not None


def test_it_forgets_what_is_long_past() -> None:
    odometry = Odometry(HZ, keep=1.0)
    for now in range(3, 100):
        odometry.update(now * 10**8, np.zeros((4, 3)))
    assert len(odometry._track) <= 12
    odometry.clear()
    assert odometry.since(99 * 10**8) is None
