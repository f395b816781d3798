from collections.abc import Callable

import numpy as np

from octoverse.episode import Episode

FEATURES = {
    "steps/action": ("float32", (8,)),
    "steps/observation/image": ("jpeg", (480, 640, 3)),
    "steps/observation/state": ("float32", (21,)),
}


def test_millimetres_and_degrees_become_changes(recorded: Callable[..., Episode]) -> None:
    joints = [0.4, -0.2, -0.3, 0.9, 0.6, 1.0, -1.2]
    poses = [[400, 100, 200, 180, 0, 0], [410, 100, 180, -174, 0, 0], [410, 100, 180, -174, 0, 9]]
    episode = recorded(
        "ucsd_kitchen_dataset_converted_externally_to_rlds",
        "elsewhere",
        FEATURES,
        {
            "steps/action": [
                [*poses[0], 1, 0],
                [*poses[1], 1, 0],
                [*poses[2], 0, 1],
                [*poses[2], 0, 1],
            ],
            "steps/observation/state": [[*joints, *[0] * 14]] * 4,
            "steps/language_instruction": ["open the oven door"] * 4,
        },
    )
    assert set(episode.observation) == {"primary", "joints", "instruction"}
    assert episode.observation["instruction"] == ["open the oven door"] * 4
    assert np.allclose(episode.observation["joints"], joints)
    arm = episode.action["arm"]
    # From 180 to -174 degrees of roll it is six.
    assert np.allclose(arm[1], [0.01, 0, -0.02, np.radians(6), 0, 0], atol=1e-5)
    assert np.allclose(arm[2], [0, 0, 0, 0, 0, np.radians(9)], atol=1e-5)
    assert episode.action_valid["arm"].tolist() == [False, True, True, False]
    assert episode.action["gripper"].ravel().tolist() == [1, 1, 0, 0]
    assert episode.action["done"].ravel().tolist() == [0, 0, 1, 1]
