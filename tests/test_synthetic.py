import numpy as np

from octoverse import registry
from octoverse.embodiment import Embodiment
from octoverse.synthetic import random_action, random_frame

CAR: Embodiment = registry.load("embodiment", "passenger_car")


def test_the_same_seed_gives_the_same_frame_and_another_seed_another() -> None:
    first, again, other = (random_frame(CAR, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(first["front"], again["front"])
    assert first["instruction"] == again["instruction"]
    assert not np.array_equal(first["front"], other["front"])


def test_the_past_ends_where_the_car_stands_now() -> None:
    past = random_frame(CAR, np.random.default_rng(0))["ego_history"]
    assert np.array_equal(past[-1], np.zeros(3))
    assert (np.diff(past[:, 0]) > 0).all()


def test_actions_use_the_whole_range_and_stay_within_it() -> None:
    arm: Embodiment = registry.load("embodiment", "widowx")
    rng = np.random.default_rng(0)
    drawn = np.stack([random_action(arm, rng)["arm"] for _ in range(500)])
    low, high = arm.action["arm"].low, arm.action["arm"].high
    assert np.allclose(drawn.min(0), low, atol=0.05 * np.subtract(high, low))
    assert np.allclose(drawn.max(0), high, atol=0.05 * np.subtract(high, low))
