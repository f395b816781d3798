import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from octoverse.servers.histogram import Histogram, seconds, sizes

VALUES = st.lists(st.floats(0, 12), min_size=1)


def filled(values: list[float]) -> Histogram:
    histogram = seconds()
    for value in values:
        histogram.add(value)
    return histogram


def test_a_value_on_a_bound_lies_below_it() -> None:
    histogram = Histogram([1.0, 2.0])
    for value in (0.5, 1.0, 1.5, 2.0, 3.0):
        histogram.add(value)
    assert histogram.counts == [2, 2, 1]
    assert (histogram.count, histogram.sum) == (5, 8.0)


@given(VALUES)
def test_it_counts_as_numpy_does(values: list[float]) -> None:
    histogram = filled(values)
    edges = [-np.inf, *histogram.bounds, np.inf]
    flipped, _ = np.histogram(-np.array(values), -np.array(edges[::-1]))
    assert histogram.counts == flipped[::-1].tolist()
    assert histogram.sum == pytest.approx(sum(values))


@given(VALUES, st.floats(0, 1))
def test_a_quantile_lies_between_the_bounds_of_the_true_one(
    values: list[float], share: float
) -> None:
    histogram = filled(values)
    true = np.quantile(values, share, method="inverted_cdf")
    edges = [0.0, *histogram.bounds, histogram.bounds[-1]]
    place = int(np.searchsorted(histogram.bounds, true))
    guess = histogram.quantile(share)
    assert guess is not None and edges[place] <= guess <= edges[place + 1]


def test_a_quantile_of_nothing_is_none() -> None:
    assert seconds().quantile(0.5) is None


def test_a_copy_stays_as_it_is_and_tells_what_came_since() -> None:
    histogram = filled([0.25])
    before = histogram.copy()
    histogram.add(0.5)
    assert before == filled([0.25])
    assert histogram.since(before) == filled([0.5])
    assert before != histogram and before != "another thing"


def test_two_are_added() -> None:
    one = filled([0.25])
    assert one.plus(filled([0.5])) == filled([0.25, 0.5])
    assert one == filled([0.25])


def test_it_crosses_to_another_process_unchanged() -> None:
    assert pickle.loads(pickle.dumps(filled([0.3]))) == filled([0.3])


def test_sizes_tell_every_small_one_apart() -> None:
    assert sizes().bounds[:5] == (1, 2, 4, 8, 16)


@pytest.mark.parametrize("bounds", [[], [1.0, 1.0], [2.0, 1.0]])
def test_bounds_that_do_not_ascend_are_refused(bounds: list[float]) -> None:
    with pytest.raises(ValueError, match="bounds must ascend, got"):
        Histogram(bounds)
