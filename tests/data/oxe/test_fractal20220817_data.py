from collections.abc import Callable

import numpy as np

from octoverse.episode import Episode

FEATURES = {
    "aspects/already_success": ("bool", ()),
    "aspects/feasible": ("bool", ()),
    "aspects/has_aspects": ("bool", ()),
    "aspects/success": ("bool", ()),
    "aspects/undesirable": ("bool", ()),
    "attributes/collection_mode": ("int64", ()),
    "attributes/collection_mode_name": ("text", ()),
    "attributes/data_type": ("int64", ()),
    "attributes/data_type_name": ("text", ()),
    "attributes/env": ("int64", ()),
    "attributes/env_name": ("text", ()),
    "attributes/location": ("int64", ()),
    "attributes/location_name": ("text", ()),
    "attributes/objects_family": ("int64", ()),
    "attributes/objects_family_name": ("text", ()),
    "attributes/task_family": ("int64", ()),
    "attributes/task_family_name": ("text", ()),
    "steps/action/base_displacement_vector": ("float32", (2,)),
    "steps/action/base_displacement_vertical_rotation": ("float32", (1,)),
    "steps/action/gripper_closedness_action": ("float32", (1,)),
    "steps/action/rotation_delta": ("float32", (3,)),
    "steps/action/terminate_episode": ("int32", (3,)),
    "steps/action/world_vector": ("float32", (3,)),
    "steps/observation/base_pose_tool_reached": ("float32", (7,)),
    "steps/observation/gripper_closed": ("float32", (1,)),
    "steps/observation/gripper_closedness_commanded": ("float32", (1,)),
    "steps/observation/height_to_bottom": ("float32", (1,)),
    "steps/observation/image": ("jpeg", (256, 320, 3)),
    "steps/observation/orientation_box": ("float32", (2, 3)),
    "steps/observation/orientation_start": ("float32", (4,)),
    "steps/observation/robot_orientation_positions_box": ("float32", (3, 3)),
    "steps/observation/rotation_delta_to_go": ("float32", (3,)),
    "steps/observation/src_rotation": ("float32", (4,)),
    "steps/observation/vector_to_go": ("float32", (3,)),
    "steps/observation/workspace_bounds": ("float32", (3, 3)),
}


def test_rt_1_s_demonstrations(recorded: Callable[..., Episode]) -> None:
    half = np.sqrt(0.5)
    episode = recorded(
        "fractal20220817_data",
        "google",
        FEATURES,
        {
            "steps/observation/natural_language_instruction": ["pick the can"] * 5,
            # A quarter turn about z, as x, y, z, w.
            "steps/observation/base_pose_tool_reached": [[0.5, -0.1, 0.8, 0, 0, half, half]] * 5,
            "steps/observation/gripper_closed": [[0], [0], [1], [1], [0.25]],
            "steps/action/world_vector": [[0.1, 0, -0.02]] * 5,
            "steps/action/rotation_delta": [[0, 0.3, -0.1]] * 5,
            "steps/action/gripper_closedness_action": [[0], [1], [0], [-1], [0]],
            "steps/action/base_displacement_vector": [[0.1, 0]] * 5,
            "steps/action/base_displacement_vertical_rotation": [[-0.2]] * 5,
            "steps/action/terminate_episode": [[0, 1, 0]] * 3 + [[1, 0, 0]] * 2,
        },
    )
    assert set(episode.observation) == {"primary", "tool", "instruction"}
    assert episode.observation["instruction"] == ["pick the can"] * 5
    tool = np.asarray(episode.observation["tool"])
    assert np.allclose(tool[0], [0.5, -0.1, 0.8, 0, 0, np.pi / 2, 1], atol=1e-6)
    assert np.allclose(tool[:, 6], [1, 1, 0, 0, 0.75])
    assert np.allclose(episode.action["arm"][0], [0.1, 0, -0.02, 0, 0.3, -0.1])
    # Open until it is told to close, then closed until it is told to open.
    assert episode.action["gripper"].ravel().tolist() == [1, 0, 0, 1, 1]
    assert np.allclose(episode.action["base"][0], [0.3, 0, -0.6])
    assert episode.action["done"].ravel().tolist() == [0, 0, 0, 1, 1]


def test_an_episode_without_a_gripper_command_has_none(recorded: Callable[..., Episode]) -> None:
    still = {
        "steps/action/gripper_closedness_action": [[0]] * 3,
        "steps/action/world_vector": [[0, 0, 0]] * 3,
        "steps/action/rotation_delta": [[0, 0, 0]] * 3,
        "steps/action/base_displacement_vector": [[0, 0]] * 3,
        "steps/action/base_displacement_vertical_rotation": [[0]] * 3,
        "steps/action/terminate_episode": [[0, 1, 0]] * 3,
        "steps/observation/base_pose_tool_reached": [[0.5, 0, 0.8, 0, 0, 0, 1]] * 3,
        "steps/observation/gripper_closed": [[0]] * 3,
    }
    episode = recorded("fractal20220817_data", "google", FEATURES, still)
    assert not episode.action_valid["gripper"].any()
    assert episode.action_valid["arm"].tolist() == [True, True, False]
