from collections.abc import Callable

import numpy as np

from octoverse.episode import Episode

FEATURES = {
    "steps/action/rotation_delta": ("float32", (3,)),
    "steps/action/terminate_episode": ("float32", ()),
    "steps/action/world_vector": ("float32", (3,)),
    "steps/observation/image": ("jpeg", (128, 128, 3)),
    "steps/observation/robot_state": ("float32", (7,)),
    "steps/observation/top_image": ("jpeg", (128, 128, 3)),
    "steps/observation/wrist225_image": ("jpeg", (128, 128, 3)),
    "steps/observation/wrist45_image": ("jpeg", (128, 128, 3)),
}


def test_cable_routing_by_shares_of_the_greatest_velocity(
    recorded: Callable[..., Episode],
) -> None:
    episode = recorded(
        "berkeley_cable_routing",
        "google",
        FEATURES,
        {
            "steps/observation/robot_state": [[0.56, 0.1, 0.07, 1, 0, 0, 0]] * 3,
            "steps/observation/natural_language_instruction": ["route cable"] * 3,
            "steps/action/world_vector": [[1, -0.5, 0]] * 3,
            "steps/action/rotation_delta": [[0, 0, -1]] * 3,
            "steps/action/terminate_episode": [0, 0, 1],
        },
    )
    assert set(episode.observation) == {"primary", "top", "wrist_45", "wrist_225", "tool"}
    assert np.allclose(episode.observation["tool"][0], [0.56, 0.1, 0.07, np.pi, 0, 0], atol=1e-6)
    assert np.allclose(episode.action["arm"], [1, -0.5, 0, -1])
    assert episode.action["done"].ravel().tolist() == [0, 0, 1]
