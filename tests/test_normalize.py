import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from octoverse.accumulate import Accumulator
from octoverse.normalize import BodyStatistics, Statistics


def _gather(*parts: np.ndarray, seed: int = 0) -> Accumulator:
    found = Accumulator(("m",) * parts[0].shape[-1], seed=seed)
    for part in parts:
        found.add(part)
    return found


def test_a_near_constant_dimension_never_explodes() -> None:
    rng = np.random.default_rng(2)
    rows = np.stack([rng.uniform(-1, 1, 10_000), 0.3 + rng.uniform(-5e-4, 5e-4, 10_000)], axis=1)
    rows[7, 1] = -1.3
    got = _gather(rows).finish()
    for kind in ("normal", "quantile"):
        offset, scale = got.scale(kind)
        assert np.abs((rows - offset) / scale).max() <= 20.001
        assert got.near_constant(kind).tolist() == [False, True]
    plain = (rows[7, 1] - (got.q01[1] + got.q99[1]) / 2) / ((got.q99[1] - got.q01[1]) / 2)
    assert plain < -3000


def test_quantiles_a_thousandth_apart_never_make_minus_3200() -> None:
    rows = np.full((10_000, 2), 0.0)
    rows[:, 0] = np.linspace(-1, 1, 10_000)
    rows[:, 1] = 0.3 + np.linspace(-5e-4, 5e-4, 10_000) * (10_000 - 1) / (10_000 - 201)
    rows[7, 1] = 0.3 - 1.6
    got = _gather(rows).finish()
    low, high = got.q01[1], got.q99[1]
    assert high - low == pytest.approx(1e-3, rel=0.05)
    assert (rows[7, 1] - (low + high) / 2) / ((high - low) / 2) < -3000
    offset, scale = got.scale("quantile")
    assert (rows[7, 1] - offset[1]) / scale[1] == pytest.approx(-20, abs=0.01)
    assert np.abs((rows - offset) / scale)[:, 1].max() < 20.01
    assert got.near_constant("quantile").tolist() == [False, True]


@given(
    values=st.lists(
        st.tuples(*[st.floats(-1e4, 1e4, width=32) for _ in range(3)]), min_size=1, max_size=40
    )
)
@settings(max_examples=100)
def test_no_data_scales_beyond_its_bound_or_to_nothing(
    values: list[tuple[float, float, float]],
) -> None:
    rows = np.array(values)
    got = _gather(rows).finish()
    for kind in ("normal", "quantile"):
        offset, scale = got.scale(kind)
        assert (scale > 0).all()
        assert np.abs((rows - offset) / scale).max() <= 20.01


def test_a_constant_dimension_is_only_shifted() -> None:
    offset, scale = _gather(np.full((10, 1), 7.0)).finish().scale("quantile")
    assert (offset.tolist(), scale.tolist()) == ([7.0], [1.0])


def test_metres_do_not_guard_radians() -> None:
    rng = np.random.default_rng(3)
    found = Accumulator(("m", "rad"))
    found.add(rng.normal(size=(1000, 2)) * [100.0, 0.01])
    assert not found.finish().near_constant("normal").any()


def test_quantile_scaling_brings_the_quantiles_to_plus_and_minus_one() -> None:
    rows = np.random.default_rng(4).normal(size=(1000, 1))
    got = _gather(rows).finish()
    offset, scale = got.scale("quantile")
    assert (got.q01[0] - offset[0]) / scale[0] == pytest.approx(-1, abs=1e-5)
    assert (got.q99[0] - offset[0]) / scale[0] == pytest.approx(1, abs=1e-5)


def test_statistics_survive_json_exactly() -> None:
    got = _gather(np.random.default_rng(6).normal(size=(100, 3))).finish()
    again = msgspec.json.decode(msgspec.json.encode(got), type=Statistics)
    assert again == got and again.hash == got.hash
    body = BodyStatistics(observation={"tool": got}, action={})
    assert msgspec.json.decode(msgspec.json.encode(body), type=BodyStatistics).hash == body.hash
    other = msgspec.structs.replace(got, mean=(0.0, 0.0, 0.0))
    assert other.hash != got.hash


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="kind must be 'normal' or 'quantile', got 'minmax'"):
        _gather(np.zeros((1, 2))).finish().scale("minmax")  # type: ignore[arg-type]


def test_exact_statistics_scale_by_just_their_numbers() -> None:
    guarded = Statistics(
        count=10,
        units=("m", "m", "m", "1"),
        mean=(0.0, 1.0, 2.0, 0.5),
        std=(1.0, 1e-5, 0.0, 0.3),
        low=(-50.0, -9.0, 2.0, 0.0),
        high=(50.0, 9.0, 2.0, 1.0),
        q01=(-2.0, 1.0, 2.0, 0.0),
        q99=(2.0, 1.0, 2.0, 1.0),
        alone=(False, False, False, True),
    )
    exact = msgspec.structs.replace(guarded, exact=True)
    offset, scale = exact.scale("normal")
    assert offset.tolist() == [0.0, 1.0, 2.0, 0.0]
    assert scale == pytest.approx([1.0, 1e-5, 1e-8, 1.0])
    assert exact.near_constant("normal").tolist() == [False, False, True, False]
    assert guarded.near_constant("normal").tolist() == [True, True, True, False]
    assert (exact.scale("quantile")[1] > 0).all()


def test_what_is_not_exact_is_stored_as_it_always_was() -> None:
    found = _gather(np.random.default_rng(0).normal(size=(9, 2))).finish()
    assert b"exact" not in msgspec.json.encode(found)
    again = msgspec.json.decode(msgspec.json.encode(found), type=Statistics)
    assert again == found and again.hash == found.hash
