from collections.abc import Callable

import numpy as np

from octoverse.episode import Episode

FEATURES = {
    "steps/action/future/axis_angle_residual": ("float32", (30,)),
    "steps/action/future/target_close": ("int64", (10,)),
    "steps/action/future/xyz_residual": ("float32", (30,)),
    "steps/observation/episode_success": ("float32", ()),
    "steps/observation/image": ("jpeg", (171, 213, 3)),
    "steps/observation/present/autonomous": ("int64", ()),
    "steps/observation/present/axis_angle": ("float32", (3,)),
    "steps/observation/present/intervention": ("int64", ()),
    "steps/observation/present/sensed_close": ("float32", (1,)),
    "steps/observation/present/xyz": ("float32", (3,)),
    "steps/observation/sequence_length": ("int64", ()),
}


def test_the_first_of_ten_residuals_is_the_action(recorded: Callable[..., Episode]) -> None:
    later = [0.1] * 27
    episode = recorded(
        "bc_z",
        "google",
        FEATURES,
        {
            "steps/action/future/xyz_residual": [[0.01, 0, -0.02, *later]] * 3,
            "steps/action/future/axis_angle_residual": [[0, 0, 0.2, *later]] * 3,
            "steps/action/future/target_close": [[0, *[1] * 9], [1] * 10, [1] * 10],
            "steps/observation/present/xyz": [[0, 0.1, 0.8]] * 3,
            "steps/observation/present/axis_angle": [[0, 0, 1.5]] * 3,
            "steps/observation/present/sensed_close": [[0.2], [0.6], [1]],
            "steps/observation/natural_language_instruction": ["wipe the tray"] * 3,
        },
    )
    assert set(episode.observation) == {"primary", "tool", "instruction"}
    assert episode.observation["instruction"] == ["wipe the tray"] * 3
    tool = np.asarray(episode.observation["tool"])
    assert np.allclose(tool[0], [0, 0.1, 0.8, 0, 0, 1.5, 0.8], atol=1e-6)
    assert np.allclose(tool[:, 6], [0.8, 0.4, 0])
    assert np.allclose(episode.action["arm"], [0.01, 0, -0.02, 0, 0, 0.2], atol=1e-6)
    assert episode.action["gripper"].ravel().tolist() == [1, 0, 0]


def test_a_sum_of_rotation_vectors_is_not_a_turn(recorded: Callable[..., Episode]) -> None:
    episode = recorded(
        "bc_z",
        "google",
        FEATURES,
        {
            "steps/action/future/xyz_residual": [[0] * 30] * 3,
            "steps/action/future/axis_angle_residual": [[0, 0.1, *[0] * 28]] * 3,
            "steps/observation/present/xyz": [[0, 0.1, 0.8]] * 3,
            "steps/observation/present/axis_angle": [[np.pi / 2, 0, 0]] * 3,
            "steps/observation/present/sensed_close": [[0.2]] * 3,
            "steps/action/future/target_close": [[0] * 10] * 3,
        },
    )
    # Around a quarter turn about x, a little along y also turns about z, and both turn less.
    assert np.allclose(episode.action["arm"][0, 3:], [0.0, 0.064, 0.063], atol=4e-3)
