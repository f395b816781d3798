import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from octoverse import rotation
from octoverse.data import poses
from octoverse.errors import BadData

small = st.floats(-1, 1)
pose = st.tuples(small, small, small, small, small, small)
walks = st.lists(pose, min_size=1, max_size=6).map(lambda rows: np.array(rows, np.float32))


def matrix_of(walk: np.ndarray) -> np.ndarray:
    return rotation.rigid(rotation.from_roll_pitch_yaw(*walk[:, 3:].T), walk[:, :3])


@given(walks)
def test_every_notation_of_a_pose_gives_the_same(walk: np.ndarray) -> None:
    matrices = matrix_of(walk)
    quaternions = rotation.to_quaternion_wxyz(matrices[:, :3, :3])
    given_as = np.concatenate([walk[:, :3], np.roll(quaternions, -1, axis=1)], axis=1)
    found, real = poses.of_quaternion(given_as)
    assert np.allclose(found, walk, atol=1e-5) and real.all()
    found, real = poses.of_columns(np.swapaxes(matrices, 1, 2).reshape(-1, 16))
    assert np.allclose(found, walk, atol=1e-5) and real.all()


@given(walks)
def test_changes_lead_from_the_first_pose_to_the_last(walk: np.ndarray) -> None:
    changes, real = poses.change(walk)
    assert real.tolist() == [step > 0 for step in range(len(walk))]
    position, turned = walk[0, :3].astype(float), matrix_of(walk)[0, :3, :3]
    for step in changes[1:].astype(float):
        position = position + step[:3]
        turned = rotation.from_roll_pitch_yaw(*step[3:]) @ turned
    assert np.allclose(position, walk[-1, :3], atol=1e-4)
    assert np.allclose(turned, matrix_of(walk)[-1, :3, :3], atol=1e-4)


def test_a_quaternion_of_zeros_is_no_pose() -> None:
    found, real = poses.of_quaternion(np.array([[0.0] * 7, [1, 2, 3, 0, 0, 0, 1]]))
    assert real.tolist() == [False, True] and np.isfinite(found).all()


def test_a_change_from_or_to_what_is_no_pose_is_none() -> None:
    _, real = poses.change(np.zeros((5, 6)), np.array([True, True, False, True, True]))
    assert real.tolist() == [False, True, False, False, True]


def test_a_rotation_vector_becomes_roll_pitch_yaw() -> None:
    given_as = np.array([[1, 2, 3, 0, 0.2, 0]], np.float32)
    assert np.allclose(poses.of_rotation_vector(given_as), given_as)
    mixed = poses.of_rotation_vector(np.array([[0, 0, 0, 0.3, 0.4, 0]]))
    assert not np.allclose(mixed[0, 3:], [0.3, 0.4, 0], atol=1e-2)


def test_a_matrix_of_zeros_is_no_pose() -> None:
    found, real = poses.of_columns(np.array([np.zeros(16), np.eye(4).ravel()]))
    assert real.tolist() == [False, True] and np.isfinite(found).all()


def test_matrices_row_by_row_are_refused() -> None:
    rows = np.eye(4)
    rows[:3, 3] = 0.5, 0.1, 0.2
    with pytest.raises(BadData, match=r"column by column, with 0, 0, 0 at places 3, 7 and 11, got"):
        poses.of_columns(rows.reshape(1, 16))
