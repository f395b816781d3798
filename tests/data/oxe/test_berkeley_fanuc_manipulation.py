from collections.abc import Callable

import numpy as np

from octoverse.data.oxe.berkeley_fanuc_manipulation import next_opening
from octoverse.episode import Episode

FEATURES = {
    "steps/action": ("float32", (6,)),
    "steps/observation/end_effector_state": ("float32", (7,)),
    "steps/observation/image": ("jpeg", (224, 224, 3)),
    "steps/observation/state": ("float32", (13,)),
    "steps/observation/wrist_image": ("jpeg", (224, 224, 3)),
}


def test_the_gripper_s_action_is_how_it_is_one_step_on(recorded: Callable[..., Episode]) -> None:
    joints = [0, 0.4, -0.2, 0.1, -1.1, 0]
    episode = recorded(
        "berkeley_fanuc_manipulation",
        "elsewhere",
        FEATURES,
        {
            "steps/action": [[0.01, 0, -0.005, 0, 0, 0.05]] * 4,
            "steps/observation/end_effector_state": [[0.5, 0, 0.2, 1, 0, 0, 0]] * 4,
            "steps/observation/state": [[*joints, closed, *[0] * 6] for closed in (0, 0, 1, 1)],
            "steps/language_instruction": ["wipe the table"] * 4,
        },
    )
    assert set(episode.observation) == {"primary", "wrist", "tool", "joints", "instruction"}
    assert episode.observation["instruction"] == ["wipe the table"] * 4
    tool = np.asarray(episode.observation["tool"])
    assert np.allclose(tool[0], [0.5, 0, 0.2, np.pi, 0, 0, 1], atol=1e-6)
    assert tool[:, 6].tolist() == [1, 1, 0, 0]
    assert np.allclose(episode.observation["joints"], joints)
    assert np.allclose(episode.action["arm"], [0.01, 0, -0.005, 0, 0, 0.05])
    assert episode.action["gripper"][:3].ravel().tolist() == [1, 0, 0]
    assert episode.action_valid["gripper"].tolist() == [True, True, True, False]


def test_the_last_step_has_no_gripper_even_where_is_last_is_not_set() -> None:
    opening, real = next_opening(np.array([[0], [1]], np.float32))
    assert opening[0, 0] == 0 and real.tolist() == [True, False]
