from collections.abc import Callable

import numpy as np

from octoverse.episode import Episode

FEATURES = {
    "steps/action": ("float32", (15,)),
    "steps/observation/depth": ("int32", (128, 128, 1)),
    "steps/observation/depth_additional_view": ("int32", (128, 128, 1)),
    "steps/observation/image": ("jpeg", (128, 128, 3)),
    "steps/observation/image_additional_view": ("jpeg", (128, 128, 3)),
    "steps/observation/state": ("float32", (13,)),
}


def test_play_ends_at_the_last_step(recorded: Callable[..., Episode]) -> None:
    joints = [-0.7, -0.9, 1.5, -2.1, -0.5, 2.4, 0]
    episode = recorded(
        "nyu_franka_play_dataset_converted_externally_to_rlds",
        "elsewhere",
        FEATURES,
        {
            "steps/action": [
                [*[0.1] * 7, 0.05, 0, -0.02, 0, 0.3, 0, grip, done]
                for grip, done in ((1, 0), (-1, 0), (1, 1))
            ],
            "steps/observation/state": [[*joints, 0.3, 0.4, 0.5, 3, 0, 0]] * 3,
            "steps/language_instruction": ["play with the kitchen"] * 3,
        },
    )
    assert set(episode.observation) == {"primary", "secondary", "tool", "joints"}
    assert np.allclose(episode.observation["tool"], [0.3, 0.4, 0.5, 3, 0, 0])
    assert np.allclose(episode.observation["joints"], joints)
    assert np.allclose(episode.action["arm"], [0.05, 0, -0.02, 0, 0.3, 0])
    assert episode.action["gripper"].ravel().tolist() == [1, 0, 1]
    assert episode.action["done"].ravel().tolist() == [0, 0, 1]
