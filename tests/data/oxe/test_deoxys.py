import numpy as np

from octoverse.data.oxe import deoxys


def test_one_is_five_centimetres_and_turns_are_rotation_vectors() -> None:
    arm = deoxys.arm(np.array([[1, -1, 0, 0.3, 0, 0], [0, 0, 0, 0.3, 0.4, 0]], np.float32))
    assert np.allclose(arm[0], [0.05, -0.05, 0, 0.3, 0, 0])
    # A turn of half a radian about an axis between x and y also yaws.
    assert np.allclose(arm[1, 3:], [0.308, 0.389, 0.062], atol=1e-2)


def test_a_state_of_zeros_is_none() -> None:
    state = np.zeros((2, 24), np.float32)
    state[1, 8:] = np.eye(4).ravel()
    for name, taken in deoxys.OF_STATE.items():
        _, real = taken.numbers(state)
        assert real is not None and real.tolist() == [False, True], name
