from collections.abc import Callable

import numpy as np

from octoverse.episode import Episode

FEATURES = {
    "steps/action/gripper_closedness_action": ("float32", (1,)),
    "steps/action/rotation_delta": ("float32", (3,)),
    "steps/action/terminate_episode": ("float32", ()),
    "steps/action/world_vector": ("float32", (3,)),
    "steps/observation/front_rgb": ("jpeg", (480, 640, 3)),
}


def test_roboturk_s_gripper_is_turned_around(recorded: Callable[..., Episode]) -> None:
    episode = recorded(
        "roboturk",
        "google",
        FEATURES,
        {
            "steps/observation/natural_language_instruction": ["create tower"] * 4,
            "steps/action/world_vector": [[0.05, 0, -0.1]] * 4,
            "steps/action/rotation_delta": [[0, 0.2, -0.3]] * 4,
            "steps/action/gripper_closedness_action": [[0], [1], [0.25], [0]],
            "steps/action/terminate_episode": [0, 0, 1, 1],
        },
    )
    assert set(episode.observation) == {"primary", "instruction"}
    assert episode.observation["instruction"] == ["create tower"] * 4
    assert np.allclose(episode.action["arm"], [0.05, 0, -0.1, 0, 0.2, -0.3])
    assert episode.action["gripper"].ravel().tolist() == [1, 0, 0.75, 1]
    assert episode.action["done"].ravel().tolist() == [0, 0, 1, 1]
