from collections.abc import Callable

import numpy as np

from octoverse.episode import Episode

FEATURES = {
    "steps/action/gripper_closedness_action": ("float32", (1,)),
    "steps/action/terminate_episode": ("int32", (3,)),
    "steps/action/world_vector": ("float32", (3,)),
    "steps/observation/end_effector_cartesian_pos": ("float32", (7,)),
    "steps/observation/end_effector_cartesian_velocity": ("float32", (6,)),
    "steps/observation/image": ("jpeg", (224, 224, 3)),
    "steps/observation/image_wrist": ("jpeg", (224, 224, 3)),
    "steps/observation/joint_pos": ("float32", (8,)),
}


def test_a_tenth_of_the_velocity_is_the_displacement(recorded: Callable[..., Episode]) -> None:
    episode = recorded(
        "jaco_play",
        "google",
        FEATURES,
        {
            "steps/observation/end_effector_cartesian_pos": [[-0.1, -0.4, 0.3, 1, 0, 0, 0]] * 4,
            "steps/observation/joint_pos": [[-1.5, 3.9, 1.5, 0, 0.9, -0.5, 0.8, 0.7]] * 4,
            "steps/observation/natural_language_instruction": ["pick up the bread"] * 4,
            "steps/action/world_vector": [[0.2, -0.1, 0]] * 4,
            "steps/action/gripper_closedness_action": [[0], [1], [-1], [0]],
            "steps/action/terminate_episode": [[0, 1, 0], [0, 1, 0], [1, 0, 0], [1, 0, 0]],
        },
    )
    assert set(episode.observation) == {"primary", "wrist", "tool", "fingers", "instruction"}
    assert episode.observation["instruction"] == ["pick up the bread"] * 4
    assert np.allclose(episode.observation["tool"][0], [-0.1, -0.4, 0.3, np.pi, 0, 0], atol=1e-6)
    assert np.allclose(episode.observation["fingers"], [0.8, 0.7])
    assert np.allclose(episode.action["arm"], [0.02, -0.01, 0])
    assert episode.action["gripper"].ravel().tolist() == [1, 0, 1, 1]
    assert episode.action["done"].ravel().tolist() == [0, 0, 1, 1]
