import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from octoverse.data import gripper


def column(*values: float) -> np.ndarray:
    return np.array(values, np.float32)[:, None]


commands = st.lists(st.sampled_from([-1.0, 0.0, 0.05, 1.0]), min_size=1, max_size=12)


def test_closedness_is_turned_around() -> None:
    assert gripper.opposite(column(0, 1, 0.25)).ravel().tolist() == [1, 0, 0.75]
    assert gripper.opposite(column(-1, 2)).ravel().tolist() == [1, 0]


def test_openings_are_kept_within_their_range() -> None:
    assert gripper.within(column(-1, 0.5, 1, 1.2)).ravel().tolist() == [0, 0.5, 1, 1]


def test_a_sign_that_is_zero_is_no_opening() -> None:
    opening, real = gripper.of_sign(column(1, -1, 0))
    assert opening[:2].ravel().tolist() == [0, 1]
    assert real.tolist() == [True, True, False]


def test_a_command_holds_until_the_next() -> None:
    opening, real = gripper.held(column(0, 0, 1, 0, -1, 0.02))
    assert opening.ravel().tolist() == [1, 1, 0, 0, 1, 1]
    assert real.all()


def test_a_gripper_that_is_told_to_open_first_was_closed() -> None:
    assert gripper.held(column(0, -1, 0))[0].ravel().tolist() == [0, 1, 1]


def test_an_episode_without_a_command_has_no_opening() -> None:
    assert not gripper.held(column(0, 0.05, -0.05))[1].any()


@given(commands)
def test_openings_change_where_commanded_only(values: list[float]) -> None:
    opening, real = gripper.held(column(*values))
    assert opening.shape == (len(values), 1) and real.shape == (len(values),)
    for step, value in enumerate(values):
        if abs(value) == 1:
            assert opening[step, 0] == (value < 0)
        elif step and real[step]:
            assert opening[step, 0] == opening[step - 1, 0]


def test_a_franka_hand_is_open_at_eight_centimetres() -> None:
    assert np.allclose(gripper.of_franka_width(column(0, 0.04, 0.08)).ravel(), [0, 0.5, 1])
