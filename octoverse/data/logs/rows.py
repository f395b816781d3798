"""What rows of a driving log must hold to, and the words for it where they do not."""

import numpy as np

from octoverse.errors import BadData
from octoverse.rotation import from_quaternion_wxyz


def check_increasing(where: object, name: str, times: np.ndarray) -> None:
    """Raise BadData unless times (n,) increase."""
    back = np.flatnonzero(np.diff(times) <= 0)
    if len(back):
        row = int(back[0])
        raise BadData(
            f"{where}: expected {name} to increase, got {times[row + 1]} after {times[row]} in row "
            f"{row + 1}. Fetch the log again, or sort it and remove what is there twice."
        )


def check_finite(where: object, name: str, numbers: np.ndarray) -> None:
    """Raise BadData unless all numbers (n, ...) are finite."""
    finite = np.isfinite(numbers)
    bad = np.flatnonzero(~finite.all(axis=tuple(range(1, finite.ndim))))
    if len(bad):
        raise BadData(
            f"{where}: expected finite numbers in {name}, got {numbers[bad[0]]} in row {bad[0]}. "
            "Fetch the log again, or leave it out."
        )


def rotations_of(where: object, name: str, quaternions: np.ndarray) -> np.ndarray:
    """Rotations (n, 3, 3) of quaternions (n, 4): w, x, y, z.

    Raises:
        BadData: if one is zero or not finite.
    """
    check_finite(where, name, quaternions)
    try:
        return from_quaternion_wxyz(quaternions)
    except ValueError as error:
        bad = np.flatnonzero(np.linalg.norm(quaternions, axis=1) <= 1e-6)
        raise BadData(
            f"{where}: expected a quaternion of length 1 in {name}, got {quaternions[bad[0]]} in "
            f"row {bad[0]}. Fetch the log again, or leave it out."
        ) from error
