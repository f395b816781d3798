import numpy as np

from octoverse.data.oxe import rt1


def test_a_closed_gripper_has_no_opening_and_a_quaternion_of_zeros_no_pose() -> None:
    pose = np.array([[0.5, 0, 0.8, 0, 0, 0, 1], [0.5, 0, 0.8, 0, 0, 0, 1], [0] * 7])
    tool, real = rt1.tool(pose, np.array([[1.0], [0.0], [0.0]]))
    assert np.allclose(tool[:2], [[0.5, 0, 0.8, 0, 0, 0, 0], [0.5, 0, 0.8, 0, 0, 0, 1]])
    assert real.tolist() == [True, True, False]
