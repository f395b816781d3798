from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from octoverse.episode import Episode

Fixture = Callable[..., Any]


def test_a_command_that_goes_against_the_measurement_is_a_fault(
    make: Fixture, told: Fixture, changed: Fixture
) -> None:
    flip = changed("action", "gripper", lambda values: 1 - values)
    found = told(make("widowx", change=flip), "fault")
    assert [(f.check, f.where) for f in found] == [("gripper", "gripper.opening")]
    assert "go opposite ways: in 12 of 12 events" in found[0].message
    assert found[0].evidence["events"] == 12


def test_a_measurement_that_goes_against_the_command_is_the_same_fault(
    make: Fixture, told: Fixture, changed: Fixture
) -> None:
    def flip(values: np.ndarray) -> np.ndarray:
        values = values.copy()
        values[:, 6] = 1 - values[:, 6]
        return values

    found = told(make("widowx", change=changed("observation", "tool", flip)))
    assert [(f.check, f.severity) for f in found] == [("gripper", "fault")]


def test_both_the_wrong_way_round_are_suspected_from_how_episodes_begin(
    make: Fixture, told: Fixture
) -> None:
    def flip(episode: Episode) -> Episode:
        tool = episode.observation["tool"].copy()  # type: ignore[union-attr]
        tool[:, 6] = 1 - tool[:, 6]
        return replace(
            episode,
            observation={**episode.observation, "tool": tool},
            action={**episode.action, "gripper": 1 - episode.action["gripper"]},
        )

    found = told(make("widowx", change=flip))
    assert [(f.check, f.severity) for f in found] == [("gripper", "suspicion")]
    assert "6 of 6 episodes begin closed and open first" in found[0].message


def test_a_clean_hand_is_confirmed_with_its_evidence(make: Fixture, told: Fixture) -> None:
    (found,) = [f for f in told(make("widowx"), "information") if f.check == "gripper"]
    assert "open and close together in 12 of 12 events" in found.message
    assert "6 of 6 episodes begin open by command" in found.message


def test_without_a_measured_opening_it_cannot_be_told(make: Fixture, told: Fixture) -> None:
    def blind(episode: Episode) -> Episode:
        seen = {k: v for k, v in episode.observation.items() if k != "tool"}
        return replace(episode, observation=seen)

    found = told(make("widowx", change=blind), "cannot be told")
    (found,) = [f for f in found if f.check == "gripper"]
    assert "no state measures an opening" in found.message


def test_fingers_given_as_shares_of_travel_have_no_open_end(make: Fixture, told: Fixture) -> None:
    found = told(make("unitree_g1"), "cannot be told")
    (found,) = [f for f in found if f.check == "gripper"]
    assert found.where == "hands" and "which end is open cannot be told" in found.message


def test_a_hand_that_never_moves_tells_nothing(make: Fixture, told: Fixture) -> None:
    def still(episode: Episode) -> Episode:
        tool = np.array(episode.observation["tool"])
        tool[:, 6] = 1
        return replace(
            episode,
            observation={**episode.observation, "tool": tool},
            action={**episode.action, "gripper": np.ones_like(episode.action["gripper"])},
        )

    source = make("widowx", change=still)
    assert told(source) == []
    found = [f for f in told(source, "cannot be told") if f.check == "gripper"]
    assert "the hand opened or closed 0 times" in found[0].message
