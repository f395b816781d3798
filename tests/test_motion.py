import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from octoverse import motion

place = st.floats(-50, 50)
angle = st.floats(-3.1, 3.1)
poses = st.tuples(place, place, angle).map(np.array)


@given(st.floats(-100, 100))
def test_wrap_keeps_the_direction_and_bounds_the_angle(value: float) -> None:
    wrapped = motion.wrap(np.array(value))
    assert -np.pi <= wrapped < np.pi
    np.testing.assert_allclose(
        [np.cos(wrapped), np.sin(wrapped)], [np.cos(value), np.sin(value)], atol=1e-9
    )


@given(poses, poses)
def test_relative_undoes_compose(frame: np.ndarray, pose: np.ndarray) -> None:
    back = motion.relative(frame, motion.compose(frame, pose))
    np.testing.assert_allclose(back, pose, atol=1e-9)


@given(poses, poses, poses)
def test_compose_is_associative(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> None:
    left = motion.compose(motion.compose(a, b), c)
    right = motion.compose(a, motion.compose(b, c))
    np.testing.assert_allclose(left[:2], right[:2], atol=1e-9)
    assert abs(motion.wrap(left[2] - right[2])) < 1e-9


@given(poses)
def test_a_pose_with_its_inverse_is_nothing(pose: np.ndarray) -> None:
    for nothing in (
        motion.compose(pose, motion.inverse(pose)),
        motion.compose(motion.inverse(pose), pose),
    ):
        np.testing.assert_allclose(nothing, 0, atol=1e-9)


@given(poses, poses)
def test_relative_is_composing_with_the_inverse(frame: np.ndarray, pose: np.ndarray) -> None:
    seen = motion.relative(frame, pose)
    np.testing.assert_allclose(
        motion.transform(motion.inverse(frame), pose[:2]), seen[:2], atol=1e-9
    )
    assert np.array_equal(motion.relative(pose, pose), np.zeros(3))


def test_left_of_a_frame_that_looks_left_is_backwards() -> None:
    frame = np.array([10.0, 0.0, np.pi / 2])
    np.testing.assert_allclose(
        motion.transform(frame, np.array([0.0, 1.0])), [9.0, 0.0], atol=1e-12
    )
    ahead = motion.compose(frame, np.array([2.0, 0.0, 0.1]))
    np.testing.assert_allclose(ahead, [10.0, 2.0, np.pi / 2 + 0.1])


def test_many_poses_at_once_are_as_one_at_a_time() -> None:
    random = np.random.default_rng(0)
    frames, many = random.uniform(-3, 3, (4, 1, 3)), random.uniform(-3, 3, (4, 5, 3))
    together = motion.relative(frames, many)
    for i in range(4):
        for j in range(5):
            alone = motion.relative(frames[i, 0], many[i, j])
            np.testing.assert_allclose(together[i, j], alone, atol=1e-12)


def test_single_precision_stays_single() -> None:
    pose = np.ones((2, 3), dtype=np.float32)
    assert motion.relative(pose, pose).dtype == np.float32
    assert motion.resample(pose, 10.0, np.array([0.1])).dtype == np.float32


@given(st.floats(0, 20), st.lists(st.tuples(st.floats(-2, 2), st.floats(-0.2, 0.2)), min_size=1))
def test_roll_out_is_alpamayos_recurrence(
    speed: float, controls: list[tuple[float, float]]
) -> None:
    acceleration, curvature = np.array(controls).T
    dt, x, y, heading, v = 0.1, 0.0, 0.0, 0.0, speed
    expected = []
    for a, k in controls:
        after = v + a * dt
        turned = heading + k * v * dt + 0.5 * k * a * dt**2
        x += dt / 2 * (v * np.cos(heading) + after * np.cos(turned))
        y += dt / 2 * (v * np.sin(heading) + after * np.sin(turned))
        heading, v = turned, after
        expected.append([x, y, motion.wrap(np.array(heading)), v])
    path, speeds = motion.roll_out(np.array(speed), acceleration, curvature, dt)
    found = np.concatenate([path, speeds[:, None]], axis=1)
    np.testing.assert_allclose(found[:, [0, 1, 3]], np.array(expected)[:, [0, 1, 3]], atol=1e-9)
    np.testing.assert_allclose(np.exp(1j * found[:, 2]), np.exp(1j * np.array(expected)[:, 2]))


def test_roll_out_at_constant_curvature_stays_on_its_circle() -> None:
    path, _ = motion.roll_out(np.array(8.0), np.zeros(60), np.full(60, 0.05), 0.1)
    radius = np.hypot(path[:, 0], path[:, 1] - 20.0)
    np.testing.assert_allclose(radius, 20.0, atol=0.02)
    assert path[0, 1] > 0, "positive curvature turns left"


def _history(speed: float, rate: float, hz: float = 10.0, steps: int = 8) -> np.ndarray:
    time = np.arange(-steps + 1, 1) / hz
    heading = rate * time
    if rate == 0:
        return np.stack([speed * time, 0 * time, heading], axis=-1)
    radius = speed / rate
    return np.stack([radius * np.sin(heading), radius * (1 - np.cos(heading)), heading], axis=-1)


@given(st.floats(0, 30))
def test_constant_velocity_goes_straight_on(speed: float) -> None:
    future = motion.constant_velocity(_history(speed, 0.0), 10.0, 30, 10.0)
    np.testing.assert_allclose(future[:, 0], speed * np.arange(1, 31) / 10, atol=1e-9)
    np.testing.assert_allclose(future[:, 1:], 0, atol=1e-12)


@given(st.floats(0.1, 20), st.one_of(st.floats(-0.9, -0.01), st.floats(0.01, 0.9)))
def test_constant_turn_continues_a_circle(speed: float, rate: float) -> None:
    future = motion.constant_turn(_history(speed, rate), 10.0, 30, 5.0)
    time = np.arange(1, 31) / 5
    radius = speed / rate
    expected = np.stack([radius * np.sin(rate * time), radius * (1 - np.cos(rate * time))], -1)
    np.testing.assert_allclose(future[:, :2], expected, atol=1e-6)
    assert np.abs(motion.wrap(future[:, 2] - rate * time)).max() < 1e-6


def test_predictions_of_a_batch_are_those_of_its_parts() -> None:
    histories = np.stack([_history(5.0, 0.3), _history(9.0, 0.0)])
    for predict in (motion.constant_velocity, motion.constant_turn):
        batch = predict(histories, 10.0, 12, 10.0)
        assert batch.shape == (2, 12, 3)
        np.testing.assert_array_equal(batch[0], predict(histories[0], 10.0, 12, 10.0))


def test_one_pose_is_no_history() -> None:
    with pytest.raises(ValueError, match=r"at least 2, 3\) poses, got shape \(1, 3\)"):
        motion.constant_velocity(np.zeros((1, 3)), 10.0, 5, 10.0)


def _path(speed: float = 8.0, curvature: float = 0.04, steps: int = 30) -> np.ndarray:
    return motion.roll_out(np.array(speed), np.zeros(steps), np.full(steps, curvature), 0.1)[0]


def test_resampling_at_its_own_times_changes_nothing() -> None:
    path = _path()
    np.testing.assert_allclose(motion.resample(path, 10.0, np.arange(1, 31) / 10), path, atol=1e-9)


def test_resampling_goes_straight_on_past_the_end() -> None:
    path = _path()
    later = motion.resample(path, 10.0, np.array([3.0, 3.5]))
    step = path[-1, :2] - path[-2, :2]
    np.testing.assert_allclose(later[1, :2], path[-1, :2] + 5 * step, atol=1e-9)
    assert later[1, 2] == pytest.approx(path[-1, 2])


def test_resampling_turns_headings_the_short_way_round() -> None:
    path = np.array([[0.0, 0.0, 3.1], [0.0, 0.0, -3.1]])
    between = motion.resample(path, 1.0, np.array([1.5]))[0, 2]
    assert abs(between) > 3.1


@pytest.mark.parametrize("shape", [(0, 3), (4, 2), (3,)])
def test_what_is_no_path_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"must be \(steps, 3\) poses, got shape"):
        motion.resample(np.zeros(shape), 10.0, np.array([0.1]))


@given(st.integers(0, 20), st.floats(0, 12), st.floats(-0.1, 0.1))
def test_a_body_that_follows_its_path_sees_the_rest_of_it(
    steps: int, speed: float, curvature: float
) -> None:
    path = _path(speed, curvature)
    here = path[steps - 1] if steps else np.zeros(3)
    seen = motion.shift_path(path, 10.0, steps / 10, here)
    assert seen.shape == path.shape
    left = 30 - steps
    np.testing.assert_allclose(seen[:left], motion.relative(here, path)[steps:], atol=1e-9)


@given(st.integers(0, 10), st.integers(0, 10), poses, poses)
def test_two_shifts_are_one(first: int, second: int, moved: np.ndarray, again: np.ndarray) -> None:
    path = _path()
    twice = motion.shift_path(
        motion.shift_path(path, 10.0, first / 10, moved), 10.0, second / 10, again
    )
    once = motion.shift_path(path, 10.0, (first + second) / 10, motion.compose(moved, again))
    np.testing.assert_allclose(twice[:, :2], once[:, :2], atol=1e-6)
    assert np.abs(motion.wrap(twice[:, 2] - once[:, 2])).max() < 1e-6


def test_a_shifted_path_ends_at_constant_speed() -> None:
    path = _path(curvature=0.0)
    seen = motion.shift_path(path, 10.0, 1.0, np.array([8.0, 0.0, 0.0]))
    np.testing.assert_allclose(seen, path, atol=1e-9)


def test_time_does_not_run_backwards() -> None:
    with pytest.raises(ValueError, match=r"elapsed must be at least 0 s, got -0\.1 s"):
        motion.shift_path(_path(), 10.0, -0.1, np.zeros(3))


def test_average_displacement_is_the_mean_distance_up_to_its_horizon() -> None:
    actual = np.zeros((2, 40, 3))
    predicted = actual.copy()
    predicted[0, :30, :2] = (3.0, 4.0)
    predicted[1, :15, 0] = 2.0
    predicted[:, 30:] = 1e9
    error = motion.average_displacement(predicted, actual, 10.0, 3.0)
    np.testing.assert_allclose(error, [5.0, 1.0])


def test_a_horizon_beyond_the_prediction_is_refused() -> None:
    with pytest.raises(ValueError, match="3 s at 10 Hz are 30 rows, got 29"):
        motion.average_displacement(np.zeros((30, 3)), np.zeros((29, 3)), 10.0, 3.0)


def _drive(seconds: float, dt: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
    """Speed up, brake and turn both ways, smoothly: poses (t + 1, 3) and speeds (t + 1,)."""
    steps = round(seconds / dt)
    fine, middle = 100, (np.arange(steps * 100) + 0.5) * dt / 100
    acceleration = 1.0 * np.sin(0.5 * middle)
    curvature = 0.02 * np.sin(0.5 * middle + 0.5)
    path, speed = motion.roll_out(np.array(8.0), acceleration, curvature, dt / fine)
    start = np.zeros((1, 3))
    return (
        np.concatenate([start, path])[::fine],
        np.concatenate([[8.0], speed])[::fine],
    )


def _round_trip(noise: float = 0.0, seed: int = 0) -> tuple[float, np.ndarray, np.ndarray]:
    """Fit 64 steps after 16 of history, seen with noise [m]; error [m] of their roll-out."""
    poses, rng = _drive(8.0)[0], np.random.default_rng(seed)
    seen = motion.relative(poses[16], poses)
    seen[:, :2] += rng.normal(0, noise, (81, 2)) * (np.arange(81) != 16)[:, None]
    speed = motion.fit_speed(seen[:17], 0.1)
    acceleration, curvature = motion.fit_unicycle(seen[17:], speed, 0.1)
    again, _ = motion.roll_out(speed, acceleration, curvature, 0.1)
    true = motion.relative(poses[16], poses[17:])
    return float(motion.average_displacement(again, true, 10.0, 6.4)), acceleration, curvature


def test_a_fitted_unicycle_drives_the_path_within_three_millimetres() -> None:
    poses, speeds = _drive(8.0)
    error, acceleration, curvature = _round_trip()
    assert error < 3e-3
    time = (np.arange(16, 80) + 0.5) * 0.1
    np.testing.assert_allclose(acceleration, 1.0 * np.sin(0.5 * time), atol=0.1)
    np.testing.assert_allclose(curvature, 0.02 * np.sin(0.5 * time + 0.5), atol=0.002)
    found = motion.fit_speed(motion.relative(poses[16], poses[:17]), 0.1)
    assert found == pytest.approx(speeds[16], abs=0.05)


def test_three_centimetres_of_noise_cost_two_to_four() -> None:
    errors, accelerations, curvatures = zip(*(_round_trip(0.03, i) for i in range(40)), strict=True)
    assert 0.02 < np.mean(errors) < 0.04
    assert np.abs(curvatures).max() < 0.33
    # Noise makes accelerations jump: a few are beyond what any label may be, and are left out.
    assert (np.abs(accelerations) < 10).mean() > 0.99


def test_what_stands_still_has_no_acceleration_and_no_curvature() -> None:
    still = np.zeros((16, 3))
    speed = motion.fit_speed(still, 0.1)
    acceleration, curvature = motion.fit_unicycle(still, speed, 0.1)
    np.testing.assert_allclose([speed, *acceleration, *curvature], 0, atol=1e-9)


@given(st.floats(-20, 20), st.floats(-0.1, 0.1))
def test_a_steady_turn_ahead_or_in_reverse_is_found(speed: float, curvature: float) -> None:
    path, _ = motion.roll_out(np.array(speed), np.zeros(46), np.full(46, curvature), 0.1)
    poses = np.concatenate([np.zeros((1, 3)), path])
    here = poses[16]
    found = motion.fit_speed(motion.relative(here, poses[:17]), 0.1)
    assert found == pytest.approx(speed, abs=0.01 + 0.01 * abs(speed))
    a, k = motion.fit_unicycle(motion.relative(here, poses[17:]), found, 0.1)
    again, _ = motion.roll_out(found, a, k, 0.1)
    expected = motion.relative(here, poses[17:])
    assert motion.average_displacement(again, expected, 10.0, 3.0) < 0.02


def test_fits_of_a_batch_are_those_of_its_parts() -> None:
    poses, _ = _drive(8.0)
    steps = np.arange(16, 48)
    history = motion.relative(poses[steps, None], poses[steps[:, None] + np.arange(-16, 1)])
    path = motion.relative(poses[steps, None], poses[steps[:, None] + np.arange(1, 33)])
    speed = motion.fit_speed(history, 0.1)
    together = motion.fit_unicycle(path, speed, 0.1)
    assert speed.shape == (32,) and together[0].shape == together[1].shape == (32, 32)
    for i in (0, 31):
        assert motion.fit_speed(history[i], 0.1) == pytest.approx(speed[i], abs=1e-9)
        alone = motion.fit_unicycle(path[i], speed[i], 0.1)
        np.testing.assert_allclose(alone, [together[0][i], together[1][i]], atol=1e-9)


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_a_path_of_a_few_steps_can_be_fitted(steps: int) -> None:
    path, _ = motion.roll_out(np.array(9.0), np.zeros(steps), np.full(steps, 0.02), 0.1)
    a, k = motion.fit_unicycle(path, np.array(9.0), 0.1)
    again, _ = motion.roll_out(np.array(9.0), a, k, 0.1)
    np.testing.assert_allclose(again[:, :2], path[:, :2], atol=0.01)


@pytest.mark.parametrize("shape", [(0, 3), (4, 2), (3,)])
def test_only_a_path_can_be_fitted(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"must be \(..., steps, 3\) poses, got shape"):
        motion.fit_unicycle(np.zeros(shape), np.array(0.0), 0.1)


def test_a_path_with_nan_is_refused() -> None:
    with pytest.raises(ValueError, match="needs finite numbers"):
        motion.fit_unicycle(np.full((4, 3), np.nan), np.array(0.0), 0.1)
