from octoverse.embodiment import State
from octoverse.embodiments.fourier_gr1 import FOURIER_GR1


def test_actions_are_grouped_by_part_at_20_hz() -> None:
    assert {name: group.size for name, group in FOURIER_GR1.action.items()} == {
        "left_arm": 7,
        "right_arm": 7,
        "left_hand": 6,
        "right_hand": 6,
    }
    assert FOURIER_GR1.control_hz == 20.0


def test_hands_are_commanded_in_no_unit_and_measured_in_radians() -> None:
    assert set(FOURIER_GR1.action["left_hand"].units) == {"1"}
    measured = FOURIER_GR1.observation["left_hand"]
    assert isinstance(measured, State) and set(measured.units) == {"rad"}
