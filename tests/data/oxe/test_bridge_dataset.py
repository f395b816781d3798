from collections.abc import Callable
from pathlib import Path

import numpy as np

from octoverse.data.dataset import open_data
from octoverse.episode import Episode

FEATURES = {
    "episode_metadata/episode_id": ("int32", ()),
    "episode_metadata/has_image_0": ("bool", ()),
    "episode_metadata/has_image_1": ("bool", ()),
    "episode_metadata/has_image_2": ("bool", ()),
    "episode_metadata/has_image_3": ("bool", ()),
    "episode_metadata/has_language": ("bool", ()),
    "steps/action": ("float32", (7,)),
    "steps/observation/image_0": ("jpeg", (256, 256, 3)),
    "steps/observation/image_1": ("jpeg", (256, 256, 3)),
    "steps/observation/image_2": ("jpeg", (256, 256, 3)),
    "steps/observation/image_3": ("jpeg", (256, 256, 3)),
    "steps/observation/state": ("float32", (7,)),
}


def test_bridge_is_in_our_conventions_already(recorded: Callable[..., Episode]) -> None:
    state = np.array([[0.3, 0.1, 0.05, 0, 0.1, -0.2, 1.0]] * 4, np.float32)
    action = np.array([[0.01, 0, -0.02, 0, 0.1, 0, grip] for grip in (1, 1, 0, 0)], np.float32)
    black = [np.zeros((256, 256, 3), np.uint8)] * 4
    episode = recorded(
        "bridge_dataset",
        "elsewhere",
        FEATURES,
        {
            "steps/action": action,
            "steps/observation/state": state,
            "steps/observation/image_2": black,
            "steps/language_instruction": ["lift the lid"] * 4,
        },
    )
    assert set(episode.observation) == {"primary", "secondary", "tool", "instruction"}
    assert np.array_equal(episode.observation["tool"], state)
    assert np.array_equal(episode.action["arm"], action[:, :6])
    assert episode.action["gripper"].ravel().tolist() == [1, 1, 0, 0]
    assert episode.observation["instruction"] == ["lift the lid"] * 4


def test_octo_s_twenty_episodes_are_known_by_name(real_data: Callable[[str], Path]) -> None:
    root = real_data("bridge-octo-debug").parent
    assert open_data("bridge-octo-debug", str(root)).lengths().tolist() == [10] * 15
    assert open_data("bridge-octo-debug", str(root), "val").lengths().tolist() == [10] * 5
