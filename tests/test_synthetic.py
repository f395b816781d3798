import msgspec
import numpy as np
import pytest

from octoverse import registry
from octoverse.embodiment import AccelerationCurvature, Camera, Embodiment, GoalImage, SafeStop
from octoverse.synthetic import random_action, random_episode, random_frame

CAR: Embodiment = registry.load("embodiment", "passenger_car")
STOP = SafeStop(kind="zero")


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


def shrunk(body: Embodiment) -> Embodiment:
    """The body with small pictures."""
    seen = {
        name: msgspec.structs.replace(stream, height=8, width=8)
        if isinstance(stream, Camera | GoalImage)
        else stream
        for name, stream in body.observation.items()
    }
    return msgspec.structs.replace(body, observation=seen)


@pytest.mark.parametrize("name", registry.names("embodiment"))
def test_every_step_of_an_episode_fits_its_body(name: str) -> None:
    body = shrunk(registry.load("embodiment", name))
    episode = random_episode(body, 6, np.random.default_rng(0))
    assert len(episode) == 6 and episode.embodiment == name
    for step in range(6):
        body.check_frame({k: v[step] for k, v in episode.observation.items()})
        body.check_action({k: v[step] for k, v in episode.action.items()})


def test_actions_of_an_episode_go_on_smoothly_and_paths_follow_the_speed_shown() -> None:
    arm = shrunk(registry.load("embodiment", "widowx"))
    moved = random_episode(arm, 50, np.random.default_rng(0)).action["arm"]
    reach = np.subtract(arm.action["arm"].high, arm.action["arm"].low)
    assert (np.abs(np.diff(moved, axis=0)) < 0.2 * reach).all() and (np.ptp(moved, 0) > 0).all()
    car = shrunk(registry.load("embodiment", "road_car"))
    episode = random_episode(car, 20, np.random.default_rng(0))
    first, speed = episode.action["path"][:, 0, 0], np.asarray(episode.observation["speed"])[:, 0]
    assert np.allclose(first * 10, np.clip(speed, 0, 30), atol=0.2)


def test_controls_of_a_path_are_steady() -> None:
    group = AccelerationCurvature(steps=5, hz=10.0)
    car = msgspec.structs.replace(shrunk(CAR), action={"controls": group}, safe_stop=STOP)
    controls = random_episode(car, 3, np.random.default_rng(0)).action["controls"]
    assert controls.shape == (3, 5, 2) and np.ptp(controls, 1).max() == 0
