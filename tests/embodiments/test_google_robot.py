from octoverse.embodiments.google_robot import GOOGLE_ROBOT, GOOGLE_ROBOT_10HZ


def test_rt_1_drives_arm_and_base_at_3_hz() -> None:
    assert list(GOOGLE_ROBOT.action) == ["arm", "gripper", "base", "done"]
    assert GOOGLE_ROBOT.control_hz == 3.0


def test_bc_z_drives_the_arm_alone_at_10_hz() -> None:
    assert list(GOOGLE_ROBOT_10HZ.action) == ["arm", "gripper"]
    assert GOOGLE_ROBOT_10HZ.control_hz == 10.0
