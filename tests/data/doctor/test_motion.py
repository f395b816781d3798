from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from octoverse.episode import Episode

Fixture = Callable[..., Any]


def columns(side: str, name: str, factors: list[float]) -> Callable[[Episode], Episode]:
    def change(episode: Episode) -> Episode:
        given = dict(getattr(episode, side))
        given[name] = np.asarray(given[name]) * np.array(factors, np.float32)
        other: dict[str, Any] = {side: given}
        return replace(episode, **other)

    return change


@pytest.mark.parametrize(
    ("factor", "words"), [(3.6, "km/h where m/s"), (2.237, "miles per hour"), (0.5, "do not fit")]
)
def test_a_speed_in_another_unit_is_a_fault(
    make: Fixture, told: Fixture, factor: float, words: str
) -> None:
    found = told(make("passenger_car", change=columns("observation", "speed", [factor])))
    motion = [f for f in found if f.check == "motion"]
    assert len(motion) == 2 and all(f.severity == "fault" and f.where == "speed" for f in motion)
    assert all(words in f.message for f in motion)


def test_a_path_in_another_unit_is_a_fault(make: Fixture, told: Fixture) -> None:
    found = told(make("road_car", change=columns("action", "path", [3.281, 3.281, 1])))
    assert any("feet where metres are declared" in f.message for f in found)


def test_a_path_with_left_and_right_exchanged_is_a_fault(make: Fixture, told: Fixture) -> None:
    found = told(make("road_car", change=columns("action", "path", [1, -1, -1])))
    assert [(f.check, f.where) for f in found] == [("motion", "path")]
    assert "It turns left where 'ego_history' turns right" in found[0].message


@pytest.mark.parametrize(("side", "name"), [("action", "path"), ("observation", "ego_history")])
def test_y_to_the_right_is_a_fault(make: Fixture, told: Fixture, side: str, name: str) -> None:
    found = told(make("road_car", change=columns(side, name, [1, -1, 1])))
    assert [(f.check, f.where) for f in found] == [("motion", name)]
    assert "Its y and its heading turn opposite ways" in found[0].message


def test_a_path_that_goes_backward_is_a_fault(make: Fixture, told: Fixture) -> None:
    found = told(make("road_car", change=columns("action", "path", [-1, -1, 1])))
    assert any("says forward where" in f.message for f in found)


def test_a_history_that_does_not_end_now_is_a_fault(make: Fixture, told: Fixture) -> None:
    def shift(episode: Episode) -> Episode:
        history = np.asarray(episode.observation["ego_history"]) + np.float32(0.5)
        return replace(episode, observation={**episode.observation, "ego_history": history})

    found = told(make("road_car", change=shift))
    assert any("Its last pose is up to 0.5 m or rad from zero" in f.message for f in found)


def test_one_unit_is_confirmed(make: Fixture, told: Fixture) -> None:
    found = [f for f in told(make("road_car"), "information") if f.check == "motion"]
    assert sum("one unit" in f.message for f in found) == 3


def test_a_path_seen_from_a_turned_frame_is_a_fault(make: Fixture, told: Fixture) -> None:
    def turn(episode: Episode) -> Episode:
        path = episode.action["path"].copy()
        path[..., 0], path[..., 1] = path[..., 1].copy(), -path[..., 0].copy()
        return replace(episode, action={"path": path})

    found = told(make("road_car", change=turn))
    assert any("It drives 90 degrees aside of its x" in f.message for f in found)


def test_driving_along_x_is_confirmed(make: Fixture, told: Fixture) -> None:
    found = told(make("road_car"), "information")
    assert any("It drives along its x, within 0.1 degrees" in f.message for f in found)


def test_a_car_that_stands_tells_no_unit(make: Fixture, told: Fixture) -> None:
    def stand(episode: Episode) -> Episode:
        seen = dict(episode.observation)
        for name in ("speed", "ego_history"):
            seen[name] = np.zeros_like(np.asarray(seen[name]))
        path = np.zeros_like(episode.action["path"])
        return replace(episode, observation=seen, action={"path": path})

    found = told(make("road_car", change=stand), "cannot be told")
    assert any("fewer than 20 steps have both and drive" in f.message for f in found)
