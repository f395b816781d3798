from octoverse.embodiments.edan import EDAN


def test_actions_are_seven_numbers_at_5_hz() -> None:
    assert sum(group.size for group in EDAN.action.values()) == 7
    assert EDAN.control_hz == 5.0
