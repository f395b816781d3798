"""Smooth least squares: penalties on roughness, and their solution by Cholesky's method."""

import numpy as np


def roughness(size: int, order: int, weight: float) -> np.ndarray:
    """Matrix (size, size) of weight times the sum of squared differences of some order."""
    difference = np.diff(np.eye(size), order, axis=0)
    return weight * difference.T @ difference


def solve_ridged(matrix: np.ndarray, aim: np.ndarray, ridge: float) -> np.ndarray:
    """Solve (matrix + ridge) x = aim, with ten times the ridge where Cholesky's method fails.

    Args:
        matrix: Positive semidefinite but for rounding, (..., n, n), or (n, n) for every aim.
        aim: (..., n).
        ridge: What is put onto the diagonal.

    Returns:
        x, (..., n).

    Raises:
        ValueError: if a number is not finite.
    """
    if not (np.isfinite(matrix).all() and np.isfinite(aim).all()):
        raise ValueError("a least squares fit needs finite numbers, got NaN or infinity.")
    try:
        lower = np.linalg.cholesky(matrix + ridge * np.eye(matrix.shape[-1]))
    except np.linalg.LinAlgError:
        if matrix.ndim == 2:
            return solve_ridged(matrix, aim, 10 * ridge)
        # One by one, so that a fit does not depend on what is fitted beside it.
        each = [solve_ridged(one, x, ridge) for one, x in zip(matrix, aim, strict=True)]
        return np.stack(each)
    if matrix.ndim == 2:
        columns = aim.reshape(-1, aim.shape[-1]).T
        return np.linalg.solve(lower.T, np.linalg.solve(lower, columns)).T.reshape(aim.shape)
    half = np.linalg.solve(lower, aim[..., None])
    return np.linalg.solve(np.swapaxes(lower, -1, -2), half)[..., 0]
