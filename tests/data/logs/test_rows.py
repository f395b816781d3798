import numpy as np
import pytest

from octoverse.data.logs.rows import check_finite, check_increasing, rotations_of
from octoverse.errors import BadData


def test_times_that_stand_or_go_back_are_named() -> None:
    check_increasing("poses", "time", np.array([1, 2, 9]))
    with pytest.raises(BadData, match=r"poses: expected time to increase, got 4 after 5 in row 2"):
        check_increasing("poses", "time", np.array([1, 5, 4, 6]))
    with pytest.raises(BadData, match="got 5 after 5 in row 1"):
        check_increasing("poses", "time", np.array([5, 5]))


def test_a_number_that_is_not_finite_is_named() -> None:
    check_finite("poses", "x", np.zeros((0, 3)))
    with pytest.raises(BadData, match=r"poses: expected finite numbers in x, got \[ 0. nan\] in r"):
        check_finite("poses", "x", np.array([[0, 0], [0, np.nan]]))


def test_quaternions_begin_with_w_and_have_a_length() -> None:
    quarter = np.sqrt(0.5)
    turn = rotations_of("poses", "turn", np.array([[quarter, 0, 0, quarter]]))[0]
    assert turn @ [1, 0, 0] == pytest.approx([0, 1, 0])
    with pytest.raises(
        BadData, match=r"poses: expected a quaternion of length 1 in turn, .* row 1"
    ):
        rotations_of("poses", "turn", np.array([[1.0, 0, 0, 0], [0, 0, 0, 0]]))
    with pytest.raises(BadData, match="poses: expected finite numbers in turn"):
        rotations_of("poses", "turn", np.full((1, 4), np.nan))
