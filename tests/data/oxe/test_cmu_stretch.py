from collections.abc import Callable

import numpy as np

from octoverse.episode import Episode

FEATURES = {
    "steps/action": ("float32", (8,)),
    "steps/observation/image": ("jpeg", (128, 128, 3)),
    "steps/observation/state": ("float32", (4,)),
}


def test_stretch_in_kitchens(recorded: Callable[..., Episode]) -> None:
    episode = recorded(
        "cmu_stretch",
        "elsewhere",
        FEATURES,
        {
            "steps/action": [
                [0.01, 0, -0.02, 0, 0, 0, grip, done] for grip, done in ((1, 0), (0, 0), (-1, 1))
            ],
            "steps/observation/state": [[0.2, 0, 0.9, 0.5]] * 3,
            "steps/language_instruction": ["open the cabinet"] * 3,
        },
    )
    assert set(episode.observation) == {"primary", "tool", "instruction"}
    assert episode.observation["instruction"] == ["open the cabinet"] * 3
    assert np.allclose(episode.observation["tool"], [0.2, 0, 0.9])
    assert np.allclose(episode.action["arm"], [0.01, 0, -0.02, 0, 0, 0])
    assert episode.action["gripper"].ravel().tolist() == [1, 0, 0]
    assert episode.action["done"].ravel().tolist() == [0, 0, 1]
