from collections.abc import Callable

import numpy as np

from octoverse.episode import Episode

FEATURES = {
    "steps/action/gripper_closedness_action": ("float32", ()),
    "steps/action/rotation_delta": ("float32", (3,)),
    "steps/action/terminate_episode": ("float32", ()),
    "steps/action/world_vector": ("float32", (3,)),
    "steps/observation/agentview_rgb": ("jpeg", (224, 224, 3)),
    "steps/observation/ee_states": ("float32", (16,)),
    "steps/observation/eye_in_hand_rgb": ("jpeg", (224, 224, 3)),
    "steps/observation/gripper_states": ("float32", (1,)),
    "steps/observation/joint_states": ("float32", (7,)),
}
STREAMS = {"primary", "wrist", "tool", "opening", "joints", "instruction"}


def test_viola_begins_with_a_state_of_zeros_that_is_masked(
    recorded: Callable[..., Episode],
) -> None:
    joints = [0, 0.2, 0, -2.0, 0.2, 2.3, 1.3]
    # Column by column: the tool looks down, at (0.5, 0, 0.2).
    pose = [1, 0, 0, 0, 0, -1, 0, 0, 0, 0, -1, 0, 0.5, 0, 0.2, 1]
    episode = recorded(
        "viola",
        "google",
        FEATURES,
        {
            "steps/observation/joint_states": [[0] * 7, joints, joints, joints],
            "steps/observation/ee_states": [[0] * 16, pose, pose, pose],
            "steps/observation/gripper_states": [[0], [0.08], [0.02], [0]],
            "steps/observation/natural_language_instruction": ["make coffee"] * 4,
            "steps/action/world_vector": [[1, -1, 0.5]] * 4,
            "steps/action/rotation_delta": [[0, 0, 0.3]] * 4,
            "steps/action/gripper_closedness_action": [0, -1, 1, 1],
        },
    )
    assert set(episode.observation) == STREAMS
    tool = np.asarray(episode.observation["tool"])
    assert np.allclose(tool[1], [0.5, 0, 0.2, np.pi, 0, 0], atol=1e-6)
    assert np.allclose(np.ravel(episode.observation["opening"])[1:], [1, 0.25, 0])
    assert np.allclose(episode.observation["joints"][1], joints)
    for stream in ("tool", "opening", "joints"):
        assert episode.observation_valid[stream].tolist() == [False, True, True, True]
    assert np.allclose(episode.action["arm"], [0.05, -0.05, 0.025, 0, 0, 0.3], atol=1e-6)
    assert episode.action["gripper"][1:].ravel().tolist() == [1, 0, 0]
    assert episode.action_valid["gripper"].tolist() == [False, True, True, False]
    assert episode.action_valid["arm"].tolist() == [True, True, True, False]
