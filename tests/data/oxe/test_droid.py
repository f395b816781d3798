from collections.abc import Callable

import numpy as np

from octoverse.episode import Episode

FEATURES = {
    "episode_metadata/file_path": ("text", ()),
    "episode_metadata/recording_folderpath": ("text", ()),
    "steps/action": ("float64", (7,)),
    "steps/action_dict/cartesian_position": ("float64", (6,)),
    "steps/action_dict/cartesian_velocity": ("float64", (6,)),
    "steps/action_dict/gripper_position": ("float64", (1,)),
    "steps/action_dict/gripper_velocity": ("float64", (1,)),
    "steps/action_dict/joint_position": ("float64", (7,)),
    "steps/action_dict/joint_velocity": ("float64", (7,)),
    "steps/discount": ("float32", ()),
    "steps/language_instruction": ("text", ()),
    "steps/language_instruction_2": ("text", ()),
    "steps/language_instruction_3": ("text", ()),
    "steps/observation/cartesian_position": ("float64", (6,)),
    "steps/observation/exterior_image_1_left": ("jpeg", (180, 320, 3)),
    "steps/observation/exterior_image_2_left": ("jpeg", (180, 320, 3)),
    "steps/observation/gripper_position": ("float64", (1,)),
    "steps/observation/joint_position": ("float64", (7,)),
    "steps/observation/wrist_image_left": ("jpeg", (180, 320, 3)),
    "steps/reward": ("float32", ()),
}
POSE, JOINTS = [0.5, 0, 0.3, 3.1, 0, 0.2], [0, 0.2, 0, -2.0, 0, 2.3, 0.1]


def values(said: list[str]) -> dict[str, object]:
    return {
        "steps/action_dict/cartesian_velocity": [
            [0.4, 0, -0.2, 0, 0, 0.5],
            [1, 1, 0, 0, 0, 0],  # longer than 1: the controller shortens it
            [0, 0, 0, 1, 0, 0],
        ],
        "steps/action_dict/gripper_position": [[0], [1], [0.25]],
        "steps/observation/cartesian_position": [POSE] * 3,
        "steps/observation/gripper_position": [[0], [0.5], [1]],
        "steps/observation/joint_position": [JOINTS] * 3,
        "steps/language_instruction": said,
    }


def test_shares_of_the_greatest_velocity_become_metres_and_radians(
    recorded: Callable[..., Episode],
) -> None:
    episode = recorded("droid", "", FEATURES, values(["put the cup down"] * 3))
    assert set(episode.observation) == {
        "primary",
        "secondary",
        "wrist",
        "tool",
        "opening",
        "joints",
        "instruction",
    }
    assert episode.observation["instruction"] == ["put the cup down"] * 3
    assert np.allclose(episode.observation["tool"], POSE)
    assert np.allclose(np.ravel(episode.observation["opening"]), [1, 0.5, 0])
    assert np.allclose(episode.observation["joints"], JOINTS)
    arm = episode.action["arm"]
    assert np.allclose(arm[0], [0.03, 0, -0.015, 0, 0, 0.075])
    assert np.allclose(arm[1], [0.075 / np.sqrt(2), 0.075 / np.sqrt(2), 0, 0, 0, 0])
    assert np.allclose(arm[2], [0, 0, 0, 0.15, 0, 0])
    assert np.allclose(episode.action["gripper"].ravel(), [1, 0, 0.75])


def test_episodes_without_words_are_masked(recorded: Callable[..., Episode]) -> None:
    episode = recorded("droid", "", FEATURES, values([""] * 3))
    assert not episode.observation_valid["instruction"].any()
