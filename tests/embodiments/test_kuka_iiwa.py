from octoverse.embodiments.kuka_iiwa import KUKA_IIWA


def test_it_moves_and_turns_about_the_vertical_at_10_hz() -> None:
    assert KUKA_IIWA.action["arm"].names == ("dx", "dy", "dz", "dyaw")
    assert KUKA_IIWA.control_hz == 10.0
