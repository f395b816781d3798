import numpy as np
import pytest

from octoverse.least_squares import roughness, solve_ridged


def test_a_parabola_has_no_roughness_of_third_order() -> None:
    parabola = np.arange(6.0) ** 2
    assert parabola @ roughness(6, 3, 2.0) @ parabola == 0
    assert parabola @ roughness(6, 2, 1.0) @ parabola == 4 * 2.0**2
    assert np.array_equal(roughness(2, 3, 1.0), np.zeros((2, 2)))


def test_one_matrix_for_all_and_one_for_each_give_the_same() -> None:
    rng = np.random.default_rng(0)
    root = rng.normal(size=(5, 5))
    matrix, aim = root @ root.T, rng.normal(size=(2, 3, 5))
    shared = solve_ridged(matrix, aim, 1e-4)
    np.testing.assert_allclose((matrix + 1e-4 * np.eye(5)) @ shared[1, 2], aim[1, 2])
    each = solve_ridged(np.broadcast_to(matrix, (2, 3, 5, 5)), aim, 1e-4)
    np.testing.assert_allclose(each, shared)


def test_a_matrix_that_is_not_positive_gets_a_larger_ridge_and_its_neighbours_do_not() -> None:
    # Its smallest eigenvalue is -0.5: ridges of 0.01 and 0.1 fail, 1 succeeds.
    bad, good = np.diag([1.0, -0.5]), np.eye(2)
    aim = np.ones(2)
    np.testing.assert_allclose(solve_ridged(bad, aim, 0.01), [1 / 2, 1 / 0.5])
    both = solve_ridged(np.stack([bad, good]), np.stack([aim, aim]), 0.01)
    np.testing.assert_allclose(both, [[1 / 2, 1 / 0.5], [1 / 1.01, 1 / 1.01]])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="needs finite numbers, got NaN or infinity"):
        solve_ridged(np.eye(2), np.array([0.0, bad]), 1e-4)
