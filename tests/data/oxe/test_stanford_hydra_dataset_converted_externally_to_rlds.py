from collections.abc import Callable

import numpy as np

from octoverse.episode import Episode

FEATURES = {
    "steps/action": ("float32", (7,)),
    "steps/is_dense": ("bool", ()),
    "steps/observation/image": ("jpeg", (240, 320, 3)),
    "steps/observation/state": ("float32", (27,)),
    "steps/observation/wrist_image": ("jpeg", (240, 320, 3)),
}
STREAMS = {"primary", "wrist", "tool", "opening", "joints", "instruction"}


def test_hydra_s_gripper_is_turned_around(recorded: Callable[..., Episode]) -> None:
    position, quaternion, angles = [0.4, 0, 0.4], [1, 0, 0, 0], [3.1, 0, -0.2]
    joints, velocities = [0, -0.2, 0, -2.4, 0.5, 2.1, 0], [0.1] * 7
    episode = recorded(
        "stanford_hydra_dataset_converted_externally_to_rlds",
        "elsewhere",
        FEATURES,
        {
            "steps/action": [[0.02, 0, -0.01, 0, 0.1, 0, close] for close in (0, 1, 0)],
            "steps/observation/state": [
                [*position, *quaternion, *angles, *joints, *velocities, width, 0.5, 1]
                for width in (0.08, 0, 0.02)
            ],
            "steps/language_instruction": ["make a cup of coffee"] * 3,
        },
    )
    assert set(episode.observation) == STREAMS
    assert episode.observation["instruction"] == ["make a cup of coffee"] * 3
    tool = np.asarray(episode.observation["tool"])
    assert np.allclose(tool[0], [0.4, 0, 0.4, 3.1, 0, -0.2])
    assert np.allclose(np.ravel(episode.observation["opening"]), [1, 0, 0.25])
    assert np.allclose(episode.observation["joints"], joints)
    assert np.allclose(episode.action["arm"], [0.02, 0, -0.01, 0, 0.1, 0])
    assert episode.action["gripper"].ravel().tolist() == [1, 0, 1]
