from collections.abc import Callable

import numpy as np

from octoverse.episode import Episode

FEATURES = {
    "steps/action/gripper_closedness_action": ("float32", (1,)),
    "steps/action/rotation_delta": ("float32", (3,)),
    "steps/action/terminate_episode": ("float32", ()),
    "steps/action/world_vector": ("float32", (3,)),
    "steps/observation/image": ("jpeg", (720, 960, 3)),
}


def test_the_hand_closes_when_it_is_told_to(recorded: Callable[..., Episode]) -> None:
    episode = recorded(
        "nyu_door_opening_surprising_effectiveness",
        "google",
        FEATURES,
        {
            "steps/observation/natural_language_instruction": ["open door"] * 4,
            "steps/action/world_vector": [[0.07, -0.01, 0]] * 4,
            "steps/action/rotation_delta": [[0, 0.07, 0]] * 4,
            "steps/action/gripper_closedness_action": [[0.01], [0.96], [-0.05], [-0.28]],
            "steps/action/terminate_episode": [0, 0, 0, 1],
        },
    )
    assert set(episode.observation) == {"wrist"}
    assert np.allclose(episode.action["arm"], [0.07, -0.01, 0, 0, 0.07, 0])
    assert episode.action["gripper"].ravel().tolist() == [1, 0, 0, 1]
    assert episode.action["done"].ravel().tolist() == [0, 0, 0, 1]
