"""Tool poses of data sets turned into ours: metres, then roll-pitch-yaw, in the base frame.

Where a data set commands absolute poses, the change from one command to the next is what
`EndEffectorDelta` means.
"""

import numpy as np

from octoverse.errors import BadData
from octoverse.rotation import (
    from_quaternion_xyzw,
    from_roll_pitch_yaw,
    from_rotation_vector,
    to_roll_pitch_yaw,
)


def of_quaternion(pose: np.ndarray) -> np.ndarray:
    """Poses (t, 6) of positions and quaternions (t, 7): x, y, z, then x, y, z, w."""
    return beside(pose[:, :3], from_quaternion_xyzw(pose[:, 3:7]))


def of_rotation_vector(pose: np.ndarray) -> np.ndarray:
    """Poses or changes (t, 6) of positions and rotation vectors (axis-angle) (t, 6)."""
    return beside(pose[:, :3], from_rotation_vector(pose[:, 3:6]))


def of_columns(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Poses (t, 6) of homogeneous matrices (t, 16), column by column, as libfranka gives them.

    Returns:
        The poses, and which of them are real, bool (t,): some recordings start with zeros.

    Raises:
        BadData: if the numbers stand row by row.
    """
    real = matrix[:, 15] != 0
    if np.abs(matrix[:, [3, 7, 11]]).max(initial=0.0) > 1e-3:
        raise BadData(
            "expected homogeneous matrices column by column, with 0, 0, 0 at places 3, 7 and 11, "
            f"got {matrix[real][0, [3, 7, 11]].tolist()}. Stored row by row, they need another "
            "declaration."
        )
    columns = np.where(real[:, None], matrix, np.eye(4).ravel()).reshape(-1, 4, 4)
    rows = np.swapaxes(columns, 1, 2)
    return beside(rows[:, :3, 3], rows[:, :3, :3]), real


def change(poses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """From each commanded pose (t, 6) the change since the one before it.

    Returns:
        Changes (t, 6) in the base frame, and which are real, bool (t,): the first has none before.
    """
    turned = from_roll_pitch_yaw(*poses[:, 3:6].T)
    before = np.concatenate([[0], np.arange(len(poses) - 1)])
    return towards(poses[before], turned[before], poses, turned), np.arange(len(poses)) > 0


def towards(
    here: np.ndarray, turned: np.ndarray, goal: np.ndarray, goal_turned: np.ndarray
) -> np.ndarray:
    """Changes (t, 6) in the base frame that bring a tool to its goal.

    Args:
        here: Where it is, (t, >= 3) [m].
        turned: Its rotation in the base frame, (t, 3, 3).
        goal: Where it is to be, (t, >= 3) [m].
        goal_turned: The same of its rotation.
    """
    return beside(goal[:, :3] - here[:, :3], goal_turned @ np.swapaxes(turned, 1, 2))


def beside(position: np.ndarray, turned: np.ndarray) -> np.ndarray:
    """Positions (t, 3) and rotations (t, 3, 3) as (t, 6), the rotations as roll-pitch-yaw."""
    return np.concatenate([position, to_roll_pitch_yaw(turned)], axis=1).astype(np.float32)
