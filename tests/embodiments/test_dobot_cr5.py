from octoverse.embodiment import State
from octoverse.embodiments.dobot_cr5 import DOBOT_CR5


def test_actions_are_six_velocities_and_the_gripper_at_10_hz() -> None:
    assert {name: group.size for name, group in DOBOT_CR5.action.items()} == {
        "arm": 6,
        "gripper": 1,
    }
    assert set(DOBOT_CR5.action["arm"].units) == {"rad/s"}
    assert DOBOT_CR5.control_hz == 10.0


def test_the_gripper_is_commanded_and_not_measured() -> None:
    joints = DOBOT_CR5.observation["joints"]
    assert isinstance(joints, State) and len(joints.names) == 6
