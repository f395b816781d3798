from collections.abc import Callable

import numpy as np

from octoverse.episode import Episode

FEATURES = {
    "episode_id": ("text", ()),
    "steps/action": ("float32", (2,)),
    "steps/observation/effector_target_translation": ("float32", (2,)),
    "steps/observation/effector_translation": ("float32", (2,)),
    "steps/observation/instruction": ("int32", (512,)),
    "steps/observation/rgb": ("jpeg", (360, 640, 3)),
    "steps/reward": ("float32", ()),
}


def test_words_are_stored_as_codes(recorded: Callable[..., Episode]) -> None:
    words = "push the red star"
    codes = np.zeros((3, 512), np.int32)
    codes[:, : len(words)] = [ord(letter) for letter in words]
    episode = recorded(
        "language_table",
        "",
        FEATURES,
        {
            "steps/action": [[0.01, -0.1]] * 3,
            "steps/observation/effector_translation": [[0.4, -0.2]] * 3,
            "steps/observation/instruction": codes,
        },
    )
    assert set(episode.observation) == {"primary", "tool", "instruction"}
    assert episode.observation["instruction"] == [words] * 3
    assert np.allclose(episode.observation["tool"], [0.4, -0.2])
    assert np.allclose(episode.action["arm"], [0.01, -0.1])
