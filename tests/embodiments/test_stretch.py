from octoverse.embodiments.stretch import STRETCH, STRETCH_DOOR


def test_rates_are_10_and_3_hz() -> None:
    assert (STRETCH.control_hz, STRETCH_DOOR.control_hz) == (10.0, 3.0)


def test_doors_are_opened_by_the_camera_at_the_gripper() -> None:
    assert list(STRETCH_DOOR.cameras) == ["wrist"]
    assert list(STRETCH.cameras) == ["primary"]
