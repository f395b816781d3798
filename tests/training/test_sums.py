import numpy as np

from octoverse.training.sums import Sums, mean_of


def test_only_valid_rows_count_and_every_number_weighs_the_same() -> None:
    sums = Sums(2)
    sums.add(np.array([[[1.0, 3.0], [9.0, 9.0]]]), np.array([[True, False]]))
    assert sums.mean == 2.0
    sums.add(np.array([[[2.0, 2.0], [8.0, 10.0]]]), np.array([[True, True]]))
    assert sums.by_row == (2.0, 9.0) and sums.mean == 26 / 6
    assert sums.samples == 2


def test_a_sum_of_nothing_has_no_mean() -> None:
    empty = Sums(3)
    empty.add(np.full((1, 3, 1), np.nan), np.zeros((1, 3), bool))
    assert np.isnan(empty.mean) and np.isnan(empty.by_row).all() and empty.samples == 0


def test_several_sums_have_one_mean_over_all_their_numbers() -> None:
    one, other = Sums(1), Sums(1)
    one.add(np.array([[[1.0, 1.0, 1.0]]]), np.ones((1, 1), bool))
    other.add(np.array([[[5.0]]]), np.ones((1, 1), bool))
    assert mean_of([one, other]) == 2.0
