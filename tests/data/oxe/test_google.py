import numpy as np

from octoverse.data.oxe import google


def test_a_closed_gripper_has_no_opening() -> None:
    pose = np.array([[0.5, 0, 0.8, 0, 0, 0, 1]] * 2)
    tool = google.tool(pose, np.array([[1.0], [0.0]]))
    assert np.allclose(tool, [[0.5, 0, 0.8, 0, 0, 0, 0], [0.5, 0, 0.8, 0, 0, 0, 1]])
