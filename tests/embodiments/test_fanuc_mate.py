from octoverse.embodiment import State
from octoverse.embodiments.fanuc_mate import FANUC_MATE


def test_six_joints_at_10_hz() -> None:
    joints = FANUC_MATE.observation["joints"]
    assert isinstance(joints, State) and joints.size == 6
    assert FANUC_MATE.control_hz == 10.0
