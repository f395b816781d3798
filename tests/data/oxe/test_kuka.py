from collections.abc import Callable

import numpy as np

from octoverse.episode import Episode

FEATURES = {
    "success": ("bool", ()),
    "steps/action/base_displacement_vector": ("float32", (2,)),
    "steps/action/base_displacement_vertical_rotation": ("float32", (1,)),
    "steps/action/gripper_closedness_action": ("float32", (1,)),
    "steps/action/rotation_delta": ("float32", (3,)),
    "steps/action/terminate_episode": ("int32", (3,)),
    "steps/action/world_vector": ("float32", (3,)),
    "steps/observation/clip_function_input/base_pose_tool_reached": ("zlib float32", (7,)),
    "steps/observation/clip_function_input/workspace_bounds": ("zlib float32", (3, 3)),
    "steps/observation/gripper_closed": ("zlib float32", (1,)),
    "steps/observation/height_to_bottom": ("zlib float32", (1,)),
    "steps/observation/image": ("jpeg", (512, 640, 3)),
    "steps/observation/task_id": ("zlib float32", (1,)),
}


def test_qt_opt_s_bin_picking(recorded: Callable[..., Episode]) -> None:
    pose = [0.55, 0.05, 0.1, 1, 0, 0, 0]  # half a turn about x: the tool looks down
    episode = recorded(
        "kuka",
        "google",
        FEATURES,
        {
            "steps/observation/clip_function_input/base_pose_tool_reached": [pose] * 5,
            "steps/observation/gripper_closed": [[0], [0], [0], [1], [1]],
            "steps/observation/natural_language_instruction": ["pick anything"] * 5,
            "steps/action/world_vector": [[0.02, 0, -0.05]] * 5,
            "steps/action/rotation_delta": [[0, 0, 0.4]] * 5,
            "steps/action/gripper_closedness_action": [[-1], [0], [1], [0], [0]],
            "steps/action/terminate_episode": [[0, 1, 0]] * 3 + [[1, 0, 0]] * 2,
        },
    )
    assert set(episode.observation) == {"primary", "tool"}
    tool = np.asarray(episode.observation["tool"])
    assert np.allclose(tool[0], [0.55, 0.05, 0.1, np.pi, 0, 0, 1], atol=1e-6)
    assert tool[:, 6].tolist() == [1, 1, 1, 0, 0]
    assert np.allclose(episode.action["arm"], [0.02, 0, -0.05, 0.4])
    assert episode.action["gripper"].ravel().tolist() == [1, 1, 0, 0, 0]
    assert episode.action["done"].ravel().tolist() == [0, 0, 0, 1, 1]
