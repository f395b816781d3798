import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from octoverse.data.logs import clock

MS = 1_000_000
clocks = st.lists(st.integers(0, 2000), min_size=1, max_size=30, unique=True).map(
    lambda ms: np.sort(np.array(ms, np.int64)) * MS
)
moments = st.lists(st.integers(-100, 2100), min_size=1, max_size=20).map(
    lambda ms: np.array(ms, np.int64) * MS
)


def test_a_gap_ends_a_run() -> None:
    times = np.array([0, 100, 200, 900, 1000], np.int64) * MS
    assert clock.runs(times, 0.5) == [(0, 200 * MS), (900 * MS, 1000 * MS)]
    assert clock.runs(times, 0.7) == [(0, 1000 * MS)]
    assert clock.runs(times[:1], 0.5) == [(0, 0)]


def test_steps_reach_up_to_the_last_time() -> None:
    assert [clock.steps_at(0, ms * MS, 10.0) for ms in (0, 99, 100, 250)] == [1, 1, 2, 3]
    assert clock.steps_at(0, 299_999_999, 30.0) == 10


@given(clocks, moments)
def test_the_nearest_sample_is_the_nearest(times: np.ndarray, at: np.ndarray) -> None:
    found, near = clock.nearest(times, at, 0.05)
    away = np.abs(times[:, None] - at)
    np.testing.assert_array_equal(away[found, np.arange(len(at))], away.min(axis=0))
    np.testing.assert_array_equal(near, away.min(axis=0) <= 50 * MS)


@given(clocks, moments)
def test_numbers_are_read_off_between_samples_and_never_across_a_gap(
    times: np.ndarray, at: np.ndarray
) -> None:
    values = np.stack([times * 2e-6, 1 - times * 1e-6], axis=1)
    found, real = clock.numbers_at(times, values, at, 0.02, 0.1)
    nearest, near = clock.nearest(times, at, 0.02)
    for i, moment in enumerate(at.tolist()):
        after = int(np.searchsorted(times, moment))
        joined = 0 < after < len(times) and times[after] - times[after - 1] <= 100 * MS
        assert real[i] == (joined or near[i])
        if joined:
            np.testing.assert_allclose(found[i], [moment * 2e-6, 1 - moment * 1e-6], atol=1e-9)
        elif near[i]:
            np.testing.assert_array_equal(found[i], values[nearest[i]])


def test_words_hold_until_the_next() -> None:
    times = np.array([100, 300], np.int64) * MS
    at = np.array([50, 100, 299, 300, 900], np.int64) * MS
    words, real = clock.words_at(times, ["left", "right"], at)
    assert words == ["", "left", "left", "right", "right"]
    assert real.tolist() == [False, True, True, True, True]
