from collections.abc import Callable

import numpy as np

from octoverse.episode import Episode

FEATURES = {
    "steps/action": ("float32", (8,)),
    "steps/observation/image": ("jpeg", (360, 640, 3)),
    "steps/observation/state": ("float32", (20,)),
    "steps/observation/wrist_image": ("jpeg", (240, 320, 3)),
}
STREAMS = {"primary", "wrist", "tool", "opening", "joints", "instruction"}


def test_the_pose_one_step_on_becomes_a_change(recorded: Callable[..., Episode]) -> None:
    down = [0, 1, 0, 0]  # half a turn about x, as w, x, y, z
    joints = [-0.1, 0.2, 0.1, -2.2, 0, 2.4, 0.8]
    episode = recorded(
        "iamlab_cmu_pickup_insert_converted_externally_to_rlds",
        "elsewhere",
        FEATURES,
        {
            "steps/action": [
                [0.5 + 0.01 * i, 0, 0.2, *down, grip] for i, grip in enumerate((1, 1, 0, 0))
            ],
            "steps/observation/state": [[*joints, grip, *[0] * 12] for grip in (1, 1, 1, 0)],
            "steps/language_instruction": ["Pick up blue block."] * 4,
        },
    )
    assert set(episode.observation) == STREAMS
    assert episode.observation["instruction"] == ["Pick up blue block."] * 4
    tool = np.asarray(episode.observation["tool"])
    assert np.allclose(tool[2], [0.51, 0, 0.2, np.pi, 0, 0], atol=1e-6)
    assert np.asarray(episode.observation["opening"]).tolist() == [[1], [1], [1], [0]]
    assert episode.observation_valid["tool"].tolist() == [False, True, True, True]
    assert np.allclose(episode.observation["joints"], joints)
    assert np.allclose(episode.action["arm"][1], [0.01, 0, 0, 0, 0, 0], atol=1e-6)
    assert episode.action_valid["arm"].tolist() == [False, True, True, False]
    assert episode.action["gripper"].ravel().tolist() == [1, 1, 0, 0]
