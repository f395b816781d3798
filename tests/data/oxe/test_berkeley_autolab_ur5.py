from collections.abc import Callable

import numpy as np

from octoverse.episode import Episode

FEATURES = {
    "steps/action/gripper_closedness_action": ("float32", ()),
    "steps/action/rotation_delta": ("float32", (3,)),
    "steps/action/terminate_episode": ("float32", ()),
    "steps/action/world_vector": ("float32", (3,)),
    "steps/observation/hand_image": ("jpeg", (480, 640, 3)),
    "steps/observation/image": ("jpeg", (480, 640, 3)),
    "steps/observation/image_with_depth": ("png float32", (480, 640, 1)),
    "steps/observation/robot_state": ("float32", (15,)),
}


def test_berkeley_s_ur5(recorded: Callable[..., Episode]) -> None:
    half = np.sqrt(0.5)
    joints = [-3.2, -1.3, 2.1, -2.4, -1.6, 3.0]
    pose = [0.45, 0.05, -0.03, 0, 0, half, half]
    episode = recorded(
        "berkeley_autolab_ur5",
        "google",
        FEATURES,
        {
            "steps/observation/robot_state": [[*joints, *pose, g, 0] for g in (0, 0, 1, 1)],
            "steps/observation/natural_language_instruction": ["sweep the cloth"] * 4,
            "steps/action/world_vector": [[0.02, 0, -0.02]] * 4,
            "steps/action/rotation_delta": [[0, 0, 1 / 15]] * 4,
            "steps/action/gripper_closedness_action": [0, 1, 0, -1],
            "steps/action/terminate_episode": [0, 0, 0, 1],
        },
    )
    assert set(episode.observation) == {"primary", "wrist", "tool", "joints", "instruction"}
    assert episode.observation["instruction"] == ["sweep the cloth"] * 4
    tool = np.asarray(episode.observation["tool"])
    assert np.allclose(tool[0], [0.45, 0.05, -0.03, 0, 0, np.pi / 2, 1], atol=1e-6)
    assert tool[:, 6].tolist() == [1, 1, 0, 0]
    assert np.allclose(episode.observation["joints"], joints)
    assert np.allclose(episode.action["arm"], [0.02, 0, -0.02, 0, 0, 1 / 15])
    assert episode.action["gripper"].ravel().tolist() == [1, 0, 0, 1]
    assert episode.action["done"].ravel().tolist() == [0, 0, 0, 1]
