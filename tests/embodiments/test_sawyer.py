from octoverse.embodiment import State
from octoverse.embodiments.sawyer import SAWYER


def test_it_sees_one_camera_and_no_state_at_10_hz() -> None:
    assert list(SAWYER.cameras) == ["primary"]
    assert not any(isinstance(stream, State) for stream in SAWYER.observation.values())
    assert SAWYER.control_hz == 10.0
