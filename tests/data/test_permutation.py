import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from octoverse.data.permutation import Permutation


@given(st.integers(1, 3000), st.integers(0, 2**63))
def test_every_number_comes_once(size: int, seed: int) -> None:
    found = Permutation(size, seed)(np.arange(size))
    assert np.array_equal(np.sort(found), np.arange(size))


@given(st.integers(2, 2**62), st.integers(0, 2**40))
def test_large_orders_stay_in_range_and_differ_at_different_places(size: int, seed: int) -> None:
    places = np.unique(np.array([(size - 1) * i // 49 for i in range(50)]))
    found = Permutation(size, seed)(places)
    assert found.min() >= 0 and found.max() < size
    assert len(np.unique(found)) == len(places)


def test_one_place_or_all_of_them_give_the_same() -> None:
    order = Permutation(1000, 7)
    whole = order(np.arange(1000))
    assert [int(order(np.array(i))) for i in range(0, 1000, 97)] == whole[::97].tolist()


def test_the_seed_decides_the_order() -> None:
    orders = [Permutation(500, seed)(np.arange(500)) for seed in (0, 0, 1, 2)]
    assert np.array_equal(orders[0], orders[1])
    assert (orders[0] == orders[2]).mean() < 0.05 and (orders[2] == orders[3]).mean() < 0.05


def test_the_order_looks_random() -> None:
    size = 20_000
    places = np.arange(size)
    moved = [Permutation(size, seed)(places) for seed in range(8)]
    for found in moved:
        # Neighbours do not stay neighbours, and nothing of the old order is left.
        assert abs(np.corrcoef(places, found)[0, 1]) < 0.03
        assert abs(np.corrcoef(found[:-1], found[1:])[0, 1]) < 0.03
        assert (np.abs(np.diff(found)) < 10).mean() < 0.005
        counts = np.histogram(found[: size // 10], bins=10, range=(0, size))[0]
        assert ((counts - 200) ** 2 / 200).sum() < 30  # chi squared, 9 degrees: p < .0005
    # Over the seeds, one thing stands anywhere equally often.
    first = np.array([int(Permutation(8, seed)(np.array(0))) for seed in range(4000)])
    assert np.bincount(first, minlength=8).min() > 400


@pytest.mark.parametrize("place", [-1, 10])
def test_a_place_that_there_is_not_is_refused(place: int) -> None:
    with pytest.raises(IndexError, match=r"Places go from 0 to 9, got \[ ?-?\d+\]"):
        Permutation(10, 0)(np.array([place]))
