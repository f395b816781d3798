from collections.abc import Callable

import numpy as np

from octoverse.episode import Episode

FEATURES = {
    "steps/action": ("float32", (7,)),
    "steps/observation/image": ("jpeg", (128, 128, 3)),
    "steps/observation/state": ("float32", (24,)),
    "steps/observation/wrist_image": ("jpeg", (128, 128, 3)),
}
STREAMS = {"primary", "wrist", "tool", "opening", "joints", "instruction"}


def test_buds_is_driven_with_deoxys(recorded: Callable[..., Episode]) -> None:
    joints = [0, 0.4, 0, -2.0, 0, 2.4, 0.8]
    # Column by column: the tool looks down, at (0.55, 0, 0.13).
    pose = [1, 0, 0, 0, 0, -1, 0, 0, 0, 0, -1, 0, 0.55, 0, 0.13, 1]
    turn = [0, 0, 0]
    episode = recorded(
        "austin_buds_dataset_converted_externally_to_rlds",
        "elsewhere",
        FEATURES,
        {
            "steps/action": [[1, -1, 0.5, *turn, grip] for grip in (-1, -1, 1, 1)],
            "steps/observation/state": [
                [0] * 24,
                [*joints, 0.08, *pose],
                [*joints, 0.04, *pose],
                [*joints, 0, *pose],
            ],
            "steps/language_instruction": ["put the pot on the plate"] * 4,
        },
    )
    assert set(episode.observation) == STREAMS
    assert episode.observation["instruction"] == ["put the pot on the plate"] * 4
    tool = np.asarray(episode.observation["tool"])
    assert np.allclose(tool[1], [0.55, 0, 0.13, np.pi, 0, 0], atol=1e-6)
    assert np.allclose(np.ravel(episode.observation["opening"])[1:], [1, 0.5, 0])
    assert np.allclose(episode.observation["joints"][1], joints)
    for stream in ("tool", "opening", "joints"):
        assert episode.observation_valid[stream].tolist() == [False, True, True, True]
    assert np.allclose(episode.action["arm"], [0.05, -0.05, 0.025, *turn], atol=1e-6)
    assert episode.action["gripper"].ravel().tolist() == [1, 1, 0, 0]
