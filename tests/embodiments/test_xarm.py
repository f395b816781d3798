from octoverse.embodiments.xarm import XARM, XARM_PLANAR


def test_kitchens_take_seven_numbers_at_2_hz() -> None:
    assert XARM.action["arm"].size + XARM.action["gripper"].size == 7
    assert XARM.control_hz == 2.0


def test_the_stick_moves_in_the_plane_at_10_hz() -> None:
    assert {name: group.names for name, group in XARM_PLANAR.action.items()} == {
        "arm": ("dx", "dy")
    }
    assert XARM_PLANAR.control_hz == 10.0
