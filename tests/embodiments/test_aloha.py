from octoverse.embodiments.aloha import ALOHA


def test_two_arms_of_six_joints_and_a_gripper_each_at_50_hz() -> None:
    assert {name: group.size for name, group in ALOHA.action.items()} == {
        "joints": 12,
        "grippers": 2,
    }
    assert ALOHA.control_hz == 50.0
    assert ALOHA.action["joints"].names[0] == "left_waist"
    assert ALOHA.action["joints"].names[6] == "right_waist"


def test_it_has_the_four_cameras_of_which_one_is_enough() -> None:
    assert list(ALOHA.cameras) == ["high", "low", "left_wrist", "right_wrist"]
    assert [name for name, camera in ALOHA.cameras.items() if not camera.optional] == ["high"]
