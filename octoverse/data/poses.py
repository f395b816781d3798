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


def of_quaternion(pose: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Poses (t, 6) of positions and quaternions (t, 7): x, y, z, then x, y, z, w.

    Returns:
        The poses, and which of them are real, bool (t,): a quaternion of zeros is none.
    """
    turned, real = turns_of(pose[:, 3:7])
    return beside(pose[:, :3], turned), real


def turns_of(quaternion: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rotations (t, 3, 3) of quaternions (t, 4), x, y, z, w, and which of them are real."""
    real = (quaternion != 0).any(axis=1)
    return from_quaternion_xyzw(np.where(real[:, None], quaternion, (0, 0, 0, 1))), real


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
    real, zeros = matrix[:, 15] != 0, matrix[:, [3, 7, 11]]
    wrong = np.abs(zeros).max(axis=1) > 1e-3
    if wrong.any():
        raise BadData(
            "expected homogeneous matrices column by column, with 0, 0, 0 at places 3, 7 and 11, "
            f"got {zeros[wrong][0].tolist()}. Stored row by row, they need another declaration."
        )
    columns = np.where(real[:, None], matrix, np.eye(4).ravel()).reshape(-1, 4, 4)
    rows = np.swapaxes(columns, 1, 2)
    return beside(rows[:, :3, 3], rows[:, :3, :3]), real


def change(poses: np.ndarray, real: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """From each commanded pose (t, 6) the change since the one before it.

    Args:
        poses: One for each step.
        real: Which of them are, bool (t,); all unless given.

    Returns:
        Changes (t, 6) in the base frame, and which are real, bool (t,): the first has none before.
    """
    known = np.ones(len(poses), bool) if real is None else real
    turned = from_roll_pitch_yaw(*poses[:, 3:6].T)
    before = np.concatenate([[0], np.arange(len(poses) - 1)])
    changes = towards(poses[before], turned[before], poses, turned)
    return changes, known & known[before] & (np.arange(len(poses)) > 0)


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
