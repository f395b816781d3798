from collections.abc import Callable

import numpy as np

from octoverse.episode import Episode

FEATURES = {
    "steps/action/actions": ("float32", (7,)),
    "steps/action/rel_actions_gripper": ("float32", (7,)),
    "steps/action/rel_actions_world": ("float32", (7,)),
    "steps/action/terminate_episode": ("float32", ()),
    "steps/observation/depth_gripper": ("float32", (84, 84)),
    "steps/observation/depth_static": ("float32", (150, 200)),
    "steps/observation/rgb_gripper": ("jpeg", (84, 84, 3)),
    "steps/observation/rgb_static": ("jpeg", (150, 200, 3)),
    "steps/observation/robot_obs": ("float32", (15,)),
    "steps/observation/structured_language_instruction": ("text", ()),
}
STREAMS = {"primary", "wrist", "tool", "opening", "joints", "instruction"}


def test_the_delta_leads_from_the_measured_pose_to_the_commanded_one(
    recorded: Callable[..., Episode],
) -> None:
    here = [0.4, 0.1, 0.3, 3.1, 0, 0.5]
    joints = [0.1, -0.3, 0.1, -2.2, 0.1, 2.0, 0.5]
    goal = [0.42, 0.1, 0.27, -3.1, 0, 0.5]  # across pi, where roll begins anew
    episode = recorded(
        "taco_play",
        "google",
        FEATURES,
        {
            "steps/observation/robot_obs": [
                [*here, width, *joints, 1] for width in (0.08, 0, 0.04)
            ],
            "steps/action/actions": [[*goal, grip] for grip in (1, -1, 1)],
            "steps/observation/natural_language_instruction": ["turn the light on"] * 3,
        },
    )
    assert set(episode.observation) == STREAMS
    assert episode.observation["instruction"] == ["turn the light on"] * 3
    tool = np.asarray(episode.observation["tool"])
    assert np.allclose(tool, here)
    assert np.allclose(np.ravel(episode.observation["opening"]), [1, 0, 0.5])
    assert np.allclose(episode.observation["joints"], joints)
    arm = episode.action["arm"][0]
    assert np.allclose(arm[:3], [0.02, 0, -0.03], atol=1e-6)
    # Roll about the tool's own x lies across the base's x and y, half a radian turned.
    turn = 2 * np.pi - 6.2
    assert np.allclose(arm[3:], [turn * np.cos(0.5), turn * np.sin(0.5), 0], atol=2e-3)
    assert episode.action["gripper"].ravel().tolist() == [1, 0, 1]
