from octoverse.embodiment import State
from octoverse.embodiments.ur5 import UR5


def test_six_joints_at_5_hz() -> None:
    joints = UR5.observation["joints"]
    assert isinstance(joints, State) and joints.size == 6
    assert UR5.control_hz == 5.0
