import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from octoverse import registry
from octoverse.accumulate import SAMPLE_ROWS, Accumulator, combine, left_alone
from octoverse.embodiment import EgoHistory, Gripper, Route, Terminate
from octoverse.errors import BadData


def _gather(*parts: np.ndarray, seed: int = 0) -> Accumulator:
    found = Accumulator(("m",) * parts[0].shape[-1], seed=seed)
    for part in parts:
        found.add(part)
    return found


def test_statistics_are_those_of_numpy() -> None:
    rows = np.random.default_rng(0).normal(3.0, 2.0, (5000, 4)).astype(np.float32)
    got = _gather(rows[:100], rows[100:4000].reshape(39, 100, 4), rows[4000:]).finish()
    assert got.count == 5000
    assert np.allclose(got.mean, rows.mean(axis=0, dtype=np.float64), rtol=1e-9)
    assert np.allclose(got.std, rows.std(axis=0, dtype=np.float64), rtol=1e-9)
    assert np.allclose([got.low, got.high], [rows.min(axis=0), rows.max(axis=0)])
    assert np.allclose([got.q01, got.q99], np.quantile(rows, [0.01, 0.99], axis=0))


@given(cuts=st.lists(st.integers(0, 300), min_size=1, max_size=4), seed=st.integers(0, 9))
@settings(max_examples=30)
def test_merged_parts_equal_the_whole(cuts: list[int], seed: int) -> None:
    rows = np.random.default_rng(seed).normal(size=(300, 3)) * [1e-3, 1.0, 1e4] + [5, 0, -1e5]
    whole = _gather(rows).finish()
    merged = Accumulator(("m",) * 3)
    for part in np.split(rows, sorted(cuts)):
        merged.merge(_gather(part))
    got = merged.finish()
    assert got.count == whole.count
    for name in ("mean", "std", "low", "high", "q01", "q99"):
        assert np.allclose(getattr(got, name), getattr(whole, name), rtol=1e-6), name


def test_quantiles_of_many_rows_stay_close_in_bounded_memory() -> None:
    rng = np.random.default_rng(1)
    found = Accumulator(("m",))
    for _ in range(40):
        found.add(rng.random((10_000, 1)))
    got = found.finish()
    assert found.arrays()["rows"].shape == (65_536, 1)
    assert got.q01[0] == pytest.approx(0.01, abs=0.002)
    assert got.q99[0] == pytest.approx(0.99, abs=0.002)


def test_the_rows_that_are_kept_do_not_depend_on_who_took_them_in() -> None:
    pieces = [np.random.default_rng(i).random((9_000, 2)) for i in range(40)]
    whole = Accumulator(("m", "m"))
    for number, piece in enumerate(pieces):
        whole.add(piece, rng=np.random.default_rng(number))
    for cut in (1, 17, 39):
        left, right = Accumulator(("m", "m")), Accumulator(("m", "m"))
        for number, piece in enumerate(pieces):
            part = left if number < cut else right
            part.add(piece, rng=np.random.default_rng(number))
        left.merge(right)
        for name in ("rows", "ranks"):
            assert np.array_equal(left.arrays()[name], whole.arrays()[name])
        assert len(left.rows) == SAMPLE_ROWS


def test_invalid_rows_are_left_out() -> None:
    found = Accumulator(("m", "m"))
    values = np.array([[[1.0, 2.0], [np.nan, 9.0]], [[3.0, 4.0], [5.0, 6.0]]])
    found.add(values, valid=np.array([[True, False], [True, True]]))
    got = found.finish()
    assert got.count == 3 and got.mean == (3.0, 4.0)


def test_grippers_are_left_alone() -> None:
    body = registry.load("embodiment", "tabletop_arm")
    assert left_alone(body.observation["tool"]) == (False, False, False, False, True)
    assert left_alone(body.action["arm"]) == (False,) * 4
    assert left_alone(Gripper()) == left_alone(Terminate()) == (True,)
    found = Accumulator.of(body.action["gripper"])
    found.add(np.array([[0.0], [1.0], [1.0]]))
    assert [v.tolist() for v in found.finish().scale("normal")] == [[0.0], [1.0]]


def test_paths_and_histories_know_their_units() -> None:
    assert Accumulator.of(EgoHistory(steps=8, hz=10.0)).units == ("m", "m", "rad")
    assert Accumulator.of(Route(points=4)).units == ("m", "m")


def test_weights_and_not_sizes_decide_a_mixture() -> None:
    rng = np.random.default_rng(5)
    small, large = rng.normal(0, 1, (500, 1)), rng.normal(4, 1, (50_000, 1))
    got = combine([_gather(small), _gather(large)], [1.0, 1.0])
    same = np.concatenate([np.repeat(small, 100, axis=0), large])
    assert got.mean[0] == pytest.approx(same.mean(), abs=1e-6)
    assert got.std[0] == pytest.approx(same.std(), rel=1e-6)
    # 500 rows place a 2 % quantile only to about a tenth of a standard deviation.
    assert got.q01[0] == pytest.approx(np.quantile(same, 0.01), abs=0.2)
    assert got.q99[0] == pytest.approx(np.quantile(same, 0.99), abs=0.05)
    assert got.count == 50_500


def test_stored_arrays_restore_an_accumulator() -> None:
    found = _gather(np.random.default_rng(7).normal(size=(100, 2)))
    again = Accumulator(("m", "m"))
    again.load(found.arrays())
    assert again.finish() == found.finish()


def test_faults_are_named() -> None:
    found = Accumulator(("m", "m"))
    with pytest.raises(BadData, match=r"Expected at least one valid row.*got none"):
        found.finish()
    with pytest.raises(BadData, match="Expected finite numbers, got nan in dimension 1 of row 2"):
        found.add(np.array([[0, 0], [0, 0], [0, np.nan]]))
    with pytest.raises(ValueError, match="Expected rows of 2 numbers"):
        found.add(np.zeros((4, 3)))
    with pytest.raises(ValueError, match="Cannot merge"):
        found.merge(Accumulator(("rad", "rad")))
    with pytest.raises(ValueError, match="one length, got 1 and 2"):
        Accumulator(("m",), (True, False))
