from collections.abc import Callable

import numpy as np

from octoverse.episode import Episode

FEATURES = {
    "steps/action/open_gripper": ("bool", ()),
    "steps/action/rotation_delta": ("float32", (3,)),
    "steps/action/terminate_episode": ("float32", ()),
    "steps/action/world_vector": ("float32", (3,)),
    "steps/observation/image": ("jpeg", (480, 640, 3)),
    "steps/observation/state": ("float32", (7,)),
}


def test_toto_s_poses_become_changes(recorded: Callable[..., Episode]) -> None:
    joints = [0, -0.3, 0, -2.5, -0.2, 0.9, 0]
    episode = recorded(
        "toto",
        "google",
        FEATURES,
        {
            "steps/observation/state": [joints] * 4,
            "steps/observation/natural_language_instruction": ["pour"] * 4,
            "steps/action/world_vector": [[0.4 + 0.01 * i, 0, 0.36] for i in range(4)],
            "steps/action/rotation_delta": [[-0.7, 0, 0], [-0.7, 0, 0], [-0.6, 0, 0], [-0.6, 0, 0]],
            "steps/action/open_gripper": [True, True, False, False],
            "steps/action/terminate_episode": [0, 0, 0, 1],
        },
    )
    assert set(episode.observation) == {"primary", "joints"}
    assert np.allclose(episode.observation["joints"], joints)
    assert np.allclose(episode.action["arm"][1], [0.01, 0, 0, 0, 0, 0], atol=1e-6)
    assert np.allclose(episode.action["arm"][2], [0.01, 0, 0, 0.1, 0, 0], atol=1e-6)
    # The first command has none before it.
    assert episode.action_valid["arm"].tolist() == [False, True, True, False]
    assert episode.action["gripper"].ravel().tolist() == [1, 1, 0, 0]
    assert episode.action["done"].ravel().tolist() == [0, 0, 0, 1]
