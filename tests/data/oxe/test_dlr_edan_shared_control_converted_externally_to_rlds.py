from collections.abc import Callable

import numpy as np

from octoverse.episode import Episode

FEATURES = {
    "steps/action": ("float32", (7,)),
    "steps/observation/image": ("jpeg", (360, 640, 3)),
    "steps/observation/state": ("float32", (7,)),
}


def test_angles_about_z_x_and_y_become_roll_pitch_yaw(recorded: Callable[..., Episode]) -> None:
    # A quarter turn about z, then 0.3 about the base's x.
    state = [-0.5, 0.4, 0.1, np.pi / 2, 0.3, 0]
    episode = recorded(
        "dlr_edan_shared_control_converted_externally_to_rlds",
        "elsewhere",
        FEATURES,
        {
            "steps/action": [[0.01, 0, -0.02, 0.1, 0, 0, closed] for closed in (0, 1, 1)],
            "steps/observation/state": [[*state, closed] for closed in (0, 1, 1)],
            "steps/language_instruction": ["pour into the mug"] * 3,
        },
    )
    assert set(episode.observation) == {"primary", "tool", "instruction"}
    assert episode.observation["instruction"] == ["pour into the mug"] * 3
    tool = np.asarray(episode.observation["tool"])
    assert np.allclose(tool[0], [-0.5, 0.4, 0.1, 0, -0.3, np.pi / 2, 1], atol=1e-6)
    assert tool[:, 6].tolist() == [1, 0, 0]
    assert np.allclose(episode.action["arm"], [0.01, 0, -0.02, 0, 0, 0.1], atol=1e-6)
    assert episode.action["gripper"].ravel().tolist() == [1, 0, 0]
