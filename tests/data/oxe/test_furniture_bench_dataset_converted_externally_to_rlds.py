from collections.abc import Callable

import numpy as np

from octoverse.episode import Episode

FEATURES = {
    "episode_metadata/furniture": ("text", ()),
    "episode_metadata/initial_randomness": ("text", ()),
    "steps/action": ("float32", (8,)),
    "steps/observation/image": ("jpeg", (224, 224, 3)),
    "steps/observation/state": ("float32", (35,)),
    "steps/observation/wrist_image": ("jpeg", (224, 224, 3)),
    "steps/skill_completion": ("float32", ()),
}
STREAMS = {"primary", "wrist", "tool", "opening", "joints", "instruction"}


def test_turns_of_the_tool_become_turns_of_the_base(recorded: Callable[..., Episode]) -> None:
    half = np.sqrt(0.5)
    position, quaternion = [0.56, 0.05, 0.1], [0, 0, half, half]  # a quarter turn to the left
    joints = [0.1, 0.5, 0, -2.1, 0.2, 2.6, 0.8]
    turn = [np.sin(0.1), 0, 0, np.cos(0.1)]  # 0.2 rad about the tool's x, which is the base's y
    episode = recorded(
        "furniture_bench_dataset_converted_externally_to_rlds",
        "elsewhere",
        FEATURES,
        {
            "steps/action": [[0.02, 0, -0.01, *turn, grip] for grip in (-1, 1, -1)],
            "steps/observation/state": [
                [*position, *quaternion, *[0] * 6, *joints, *[0] * 14, width]
                for width in (0.08, 0, 0.06)
            ],
            "steps/language_instruction": ["assemble lamp"] * 3,
        },
    )
    assert set(episode.observation) == STREAMS
    assert episode.observation["instruction"] == ["assemble lamp"] * 3
    tool = np.asarray(episode.observation["tool"])
    assert np.allclose(tool[0], [0.56, 0.05, 0.1, 0, 0, np.pi / 2], atol=1e-6)
    assert np.allclose(np.ravel(episode.observation["opening"]), [1, 0, 0.75])
    assert np.allclose(episode.observation["joints"], joints)
    assert np.allclose(episode.action["arm"], [0.02, 0, -0.01, 0, 0.2, 0], atol=1e-6)
    assert episode.action["gripper"].ravel().tolist() == [1, 0, 1]
