import numpy as np
import pytest

from octoverse.data.lerobot.numbers import Numbers, gripper_like, kind_of_motion, units_of

RNG = np.random.default_rng(0)
PATH = np.cumsum(RNG.normal(0, 0.02, (400, 3)), axis=0)


def numbers(values: np.ndarray, *names: str) -> Numbers:
    names = names or tuple(f"joint_{i}" for i in range(values.shape[1]))
    return Numbers(values=values, ends=np.array([len(values)]), names=names)


def test_a_gripper_is_called_so_or_dwells_at_two_ends() -> None:
    shut = (RNG.random(400) > 0.5).astype(float)
    values = np.column_stack([PATH, shut, PATH[:, :1], PATH[:, :1]])
    found = numbers(values, "a", "b", "c", "d", "e", "left_gripper")
    assert list(gripper_like(found)) == [
        ("motion", 0, 3),
        ("gripper", 3, 4),
        ("motion", 4, 5),
        ("gripper", 5, 6),
    ]


def test_a_command_that_the_state_follows_is_a_position() -> None:
    kind = kind_of_motion(numbers(PATH[5:]), numbers(PATH[:-5]), 10.0)
    assert not kind.velocity and "closest to it 5 steps later" in kind.why


def test_a_command_like_the_change_of_the_state_is_a_velocity() -> None:
    kind = kind_of_motion(numbers(np.diff(PATH, axis=0) * 10), numbers(PATH[:-1]), 10.0)
    assert kind.velocity and "follows the change of the state" in kind.why
    assert kind_of_motion(numbers(PATH, "x_vel", "y_vel", "z_vel"), None, 10.0).velocity


@pytest.mark.parametrize(
    ("state", "why"),
    [
        (None, "cannot be told without a state"),
        (PATH[:, :2], "cannot be told without a state"),
        (RNG.normal(size=(400, 3)), "cannot be told from the data"),
    ],
)
def test_what_cannot_be_told_is_said(state: np.ndarray | None, why: str) -> None:
    given = None if state is None else numbers(state)
    assert why in kind_of_motion(numbers(RNG.normal(size=(400, 3))), given, 10.0).why


def test_limits_leave_room_and_large_numbers_are_no_radians() -> None:
    found = numbers(np.array([[0.0, 1.0, 7.0], [0.0, -1.0, 90.0]]))
    assert found.low == (-0.1, -1.2, -1.31)
    assert found.high == (0.1, 1.2, 98.3)
    assert units_of(found) == ("rad", "rad", "1")
