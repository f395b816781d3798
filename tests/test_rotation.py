import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from octoverse import rotation

number = st.floats(-1, 1)
angle = st.floats(-3.1, 3.1)
quaternions = st.tuples(number, number, number, number).map(np.array)
latitudes, longitudes = st.floats(-1.5, 1.5), angle


def same(first: np.ndarray, second: np.ndarray, within: float = 1e-9) -> None:
    np.testing.assert_allclose(first, second, rtol=0, atol=within)


@given(quaternions)
def test_a_quaternion_makes_a_rotation_and_is_found_back(q: np.ndarray) -> None:
    assume(np.linalg.norm(q) > 0.01)
    found = rotation.from_quaternion_wxyz(q)
    same(found @ found.T, np.eye(3))
    assert np.linalg.det(found) == pytest.approx(1)
    same(rotation.from_quaternion_wxyz(rotation.to_quaternion_wxyz(found)), found)
    same(rotation.from_quaternion_xyzw(q[[1, 2, 3, 0]]), found)


def test_half_a_turn_to_the_left_brings_ahead_to_the_left() -> None:
    half = np.sqrt(0.5)
    for turned in (
        rotation.from_quaternion_wxyz(np.array([half, 0, 0, half])),
        rotation.from_quaternion_xyzw(np.array([0, 0, half, half])),
        rotation.from_roll_pitch_yaw(np.array(0), np.array(0), np.array(np.pi / 2)),
    ):
        same(turned @ [1, 0, 0], np.array([0, 1, 0]))
        assert rotation.heading_of(turned) == pytest.approx(np.pi / 2)


def test_half_turns_have_quaternions() -> None:
    for axis in np.eye(3):
        turned = 2 * np.outer(axis, axis) - np.eye(3)
        same(rotation.to_quaternion_wxyz(turned), np.array([0, *axis]))


def test_positive_pitch_lowers_the_front_and_positive_roll_lifts_the_left() -> None:
    zero, little = np.array(0.0), np.array(0.1)
    assert (rotation.from_roll_pitch_yaw(zero, little, zero) @ [1, 0, 0])[2] < 0
    assert (rotation.from_roll_pitch_yaw(little, zero, zero) @ [0, 1, 0])[2] > 0


@given(angle, st.floats(-1.5, 1.5), angle)
def test_roll_pitch_yaw_are_three_turns_one_after_another(
    roll: float, pitch: float, yaw: float
) -> None:
    def about(axis: int, by: float) -> np.ndarray:
        half = np.zeros(4)
        half[0], half[axis] = np.cos(by / 2), np.sin(by / 2)
        return rotation.from_quaternion_wxyz(half)

    found = rotation.from_roll_pitch_yaw(np.array(roll), np.array(pitch), np.array(yaw))
    same(found, about(3, yaw) @ about(2, pitch) @ about(1, roll))
    assert abs(rotation.heading_of(found) - yaw) < 1e-9


@given(quaternions, quaternions, st.floats(0, 1))
def test_between_two_rotations_the_turning_is_constant(
    q: np.ndarray, p: np.ndarray, share: float
) -> None:
    assume(min(np.linalg.norm(q), np.linalg.norm(p)) > 0.01)
    first, second = rotation.from_quaternion_wxyz(q), rotation.from_quaternion_wxyz(p)

    def angle_to(found: np.ndarray) -> float:
        return 2 * float(np.arccos(min(1, rotation.to_quaternion_wxyz(first.T @ found)[0])))

    whole = angle_to(second)
    assume(whole < np.pi - 1e-3)
    found = rotation.between(first, second, np.array(share))
    assert angle_to(found) == pytest.approx(share * whole, abs=1e-6)
    same(rotation.between(first, second, np.array(1.0)), second)


def test_many_rotations_at_once_are_as_one_at_a_time() -> None:
    rng = np.random.default_rng(0)
    q, p, share = rng.normal(size=(5, 2, 4)), rng.normal(size=(5, 2, 4)), rng.random((5, 2))
    first, second = rotation.from_quaternion_wxyz(q), rotation.from_quaternion_wxyz(p)
    together = rotation.between(first, second, share)
    same(together[3, 1], rotation.between(first[3, 1], second[3, 1], share[3, 1]))


def test_a_rigid_motion_turns_and_then_moves() -> None:
    turned = rotation.from_roll_pitch_yaw(np.array(0), np.array(0), np.array(np.pi / 2))
    moved = rotation.rigid(turned, np.array([5.0, 0, 1]))
    same(moved @ [1, 0, 0, 1], np.array([5, 1, 1, 1]))


@pytest.mark.parametrize("bad", [[0, 0, 0, 0], [np.nan, 0, 0, 1]])
def test_what_is_no_quaternion_is_refused(bad: list[float]) -> None:
    with pytest.raises(ValueError, match="must be finite and not zero"):
        rotation.from_quaternion_wxyz(np.array(bad))


@given(latitudes, longitudes, st.floats(-400, 9000))
def test_a_place_on_the_earth_is_found_back(
    latitude: float, longitude: float, height: float
) -> None:
    place = rotation.geodetic_to_ecef(np.array(latitude), np.array(longitude), np.array(height))
    back = rotation.ecef_to_geodetic(place)
    same(np.array(back[:2]), np.array([latitude, longitude]), 1e-10)
    assert back[2] == pytest.approx(height, abs=1e-4)


def test_known_places_on_the_earth() -> None:
    zero = np.array(0.0)
    same(rotation.geodetic_to_ecef(zero, zero, zero), np.array([6378137.0, 0, 0]), 1e-6)
    pole = rotation.geodetic_to_ecef(np.array(np.pi / 2), zero, zero)
    same(pole, np.array([0, 0, 6356752.3142]), 1e-3)


@given(latitudes, longitudes)
def test_east_north_and_up_are_what_they_say(latitude: float, longitude: float) -> None:
    def place(*moved: float) -> np.ndarray:
        here = np.array([latitude, longitude, 0]) + moved
        return rotation.geodetic_to_ecef(here[0], here[1], here[2])

    frame = rotation.east_north_up(np.array(latitude), np.array(longitude))
    same(frame @ frame.T, np.eye(3))
    moves = [place(0, 1e-6, 0), place(1e-6, 0, 0), place(0, 0, 1)]
    for axis, moved in zip(frame.T, moves, strict=True):
        step = moved - place(0, 0, 0)
        assert axis @ step / np.linalg.norm(step) == pytest.approx(1, abs=1e-6)


@given(angle, st.floats(-1.5, 1.5), angle)
def test_roll_pitch_and_yaw_are_found_back(roll: float, pitch: float, yaw: float) -> None:
    angles = np.array([roll, pitch, yaw])
    same(rotation.to_roll_pitch_yaw(rotation.from_roll_pitch_yaw(*angles)), angles)


@given(angle, st.sampled_from([-np.pi / 2, np.pi / 2]), angle)
def test_straight_up_or_down_the_same_rotation_is_found_back(
    roll: float, pitch: float, yaw: float
) -> None:
    turned = rotation.from_roll_pitch_yaw(np.array(roll), np.array(pitch), np.array(yaw))
    again = rotation.from_roll_pitch_yaw(*rotation.to_roll_pitch_yaw(turned))
    same(again, turned, within=1e-6)


@given(st.tuples(number, number, number).map(np.array), number)
def test_a_rotation_vector_turns_about_itself_by_its_length(
    vector: np.ndarray, size: float
) -> None:
    found = rotation.from_rotation_vector(size * vector)
    same(found @ vector, vector)
    turn = abs(size) * np.linalg.norm(vector)
    assert np.trace(found) == pytest.approx(1 + 2 * np.cos(turn))
    same(found @ rotation.from_rotation_vector(-size * vector), np.eye(3))


def test_a_rotation_vector_along_an_axis_is_a_turn_by_that_angle() -> None:
    for i in range(3):
        angles = 0.3 * np.eye(3)[i]
        same(rotation.to_roll_pitch_yaw(rotation.from_rotation_vector(angles)), angles)
