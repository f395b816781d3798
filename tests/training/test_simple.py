from types import ModuleType
from typing import Any

import numpy as np
import pytest

from octoverse.embodiments.passenger_car import PASSENGER_CAR
from octoverse.embodiments.rc_car import RC_CAR
from octoverse.embodiments.unitree_g1 import UNITREE_G1
from octoverse.episode import Episode
from octoverse.training.simple import Simple, simple_predictions


def predictions(small: ModuleType, body: Any, group: str, rows: int) -> dict[str, Simple]:
    known = small.statistics(body).action[group]
    return {one.name: one for one in simple_predictions(body, group, rows, known)}


def drive(small: ModuleType) -> Episode:
    """3 steps at 20 m/s, then one at 10 m/s; the third has no history."""
    back = np.arange(-15, 1) / 10
    history = np.zeros((4, 16, 3), np.float32)
    history[..., 0] = np.array([20, 20, 20, 10])[:, None] * back
    return Episode(
        embodiment="passenger_car",
        source="made",
        key="0",
        times_ns=np.arange(4) * 10**8,
        observation={"ego_history": history},
        observation_valid={"ego_history": np.array([True, True, False, True])},
        action={"path": np.zeros((4, 64, 3), np.float32)},
    )


def test_a_body_has_only_those_that_it_can_have(small: ModuleType) -> None:
    g1 = predictions(small, UNITREE_G1, "arms", 60)
    assert {name: (one.rows, one.seconds) for name, one in g1.items()} == {
        "training mean": (60, 2.0),
        "last action": (60, 2.0),
    }
    car = predictions(small, PASSENGER_CAR, "path", 64)
    assert {name: (one.rows, one.seconds) for name, one in car.items()} == {
        "training mean": (64, 6.4),
        "constant velocity": (30, 3.0),
    }


def test_a_long_chunk_is_judged_over_the_stated_seconds_a_short_one_to_its_end(
    small: ModuleType,
) -> None:
    assert predictions(small, RC_CAR, "pedals", 100)["last action"].seconds == 2.0
    assert predictions(small, RC_CAR, "pedals", 4)["last action"].seconds == 0.2


def test_the_last_action_is_that_of_the_step_before_where_it_was_valid(small: ModuleType) -> None:
    episode = Episode(
        embodiment="rc_car",
        source="made",
        key="0",
        times_ns=np.arange(4) * 50_000_000,
        observation={},
        action={"pedals": np.array([[0.1, 1], [0.2, 2], [0.3, 3], [0.4, 4]], np.float32)},
        action_valid={"pedals": np.array([True, False, True, True])},
    )
    last = predictions(small, RC_CAR, "pedals", 4)["last action"]
    values, there = last.predict(episode, np.array([0, 1, 2, 3]))
    assert there.tolist() == [False, True, False, True]
    assert values[[1, 3], 0] == pytest.approx(np.array([[0.1, 1], [0.3, 3]]))


def test_constant_velocity_drives_straight_on_at_the_speed_of_the_history(
    small: ModuleType,
) -> None:
    straight = predictions(small, PASSENGER_CAR, "path", 64)["constant velocity"]
    values, there = straight.predict(drive(small), np.array([1, 2, 3]))
    assert there.tolist() == [True, False, True]
    assert values[0, 9] == pytest.approx([20.0, 0, 0], abs=1e-4)
    assert values[2, 29] == pytest.approx([30.0, 0, 0], abs=1e-4)


def test_without_a_history_there_is_no_constant_velocity(small: ModuleType) -> None:
    from dataclasses import replace

    straight = predictions(small, PASSENGER_CAR, "path", 64)["constant velocity"]
    bare = replace(drive(small), observation={}, observation_valid={})
    assert not straight.predict(bare, np.array([0, 1]))[1].any()


def test_the_training_mean_is_the_same_at_every_step(small: ModuleType) -> None:
    mean = predictions(small, RC_CAR, "pedals", 4)["training mean"]
    values, there = mean.predict(drive(small), np.array([0, 3]))
    assert there.all() and values.shape == (2, 1, 2)
    assert values[0, 0] == pytest.approx(small.statistics(RC_CAR).action["pedals"].mean)
