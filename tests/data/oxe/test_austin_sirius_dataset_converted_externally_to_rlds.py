from collections.abc import Callable

import numpy as np

from octoverse.episode import Episode

FEATURES = {
    "steps/action": ("float32", (7,)),
    "steps/action_mode": ("float32", (1,)),
    "steps/intv_label": ("float32", (1,)),
    "steps/observation/image": ("jpeg", (84, 84, 3)),
    "steps/observation/state": ("float32", (8,)),
    "steps/observation/state_ee": ("float32", (16,)),
    "steps/observation/state_gripper": ("float32", (1,)),
    "steps/observation/state_joint": ("float32", (7,)),
    "steps/observation/wrist_image": ("jpeg", (84, 84, 3)),
}
STREAMS = {"primary", "wrist", "tool", "opening", "joints", "instruction"}


def test_sirius_is_driven_with_deoxys(recorded: Callable[..., Episode]) -> None:
    joints = [0.2, 0, 0, -2.4, 0, 2.5, 1.5]
    # Column by column: the tool looks down, at (0.45, 0.1, 0.17).
    pose = [1, 0, 0, 0, 0, -1, 0, 0, 0, 0, -1, 0, 0.45, 0.1, 0.17, 1]
    episode = recorded(
        "austin_sirius_dataset_converted_externally_to_rlds",
        "elsewhere",
        FEATURES,
        {
            "steps/action": [[0.5, 0, -1, 0, 0, 0.375, grip] for grip in (-1, 1, 1)],
            "steps/observation/state_ee": [pose] * 3,
            "steps/observation/state_joint": [joints] * 3,
            "steps/observation/state_gripper": [[0.08], [0.06], [0]],
            "steps/language_instruction": ["insert the blue gear"] * 3,
        },
    )
    assert set(episode.observation) == STREAMS
    assert episode.observation["instruction"] == ["insert the blue gear"] * 3
    tool = np.asarray(episode.observation["tool"])
    assert np.allclose(tool[0], [0.45, 0.1, 0.17, np.pi, 0, 0], atol=1e-6)
    assert np.allclose(np.ravel(episode.observation["opening"]), [1, 0.75, 0])
    assert np.allclose(episode.observation["joints"], joints)
    assert np.allclose(episode.action["arm"], [0.025, 0, -0.05, 0, 0, 0.375], atol=1e-6)
    assert episode.action["gripper"].ravel().tolist() == [1, 0, 0]
