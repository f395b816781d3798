from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from octoverse.episode import Episode

Fixture = Callable[..., Any]


def shifted(by: int) -> Callable[[np.ndarray], np.ndarray]:
    """Delays numbers by so many steps, repeating the first."""
    return lambda values: np.concatenate([np.repeat(values[:1], by, axis=0), values[:-by]])


@pytest.mark.parametrize("body", ["widowx", "dobot_cr5"])
def test_actions_that_come_late_are_a_fault(
    make: Fixture, told: Fixture, changed: Fixture, body: str
) -> None:
    found = told(make(body, change=changed("action", "arm", shifted(3))))
    assert [(f.check, f.severity, f.where) for f in found] == [("lag", "fault", "arm")]
    assert "Actions come 3 steps after the states that they lead to" in found[0].message


def test_late_positions_are_a_fault(make: Fixture, told: Fixture, changed: Fixture) -> None:
    found = told(make("unitree_g1", change=changed("action", "arms", shifted(5))))
    assert [(f.check, f.severity, f.where) for f in found] == [("lag", "fault", "arms")]
    assert "3 steps after" in found[0].message  # clean ones come 2 steps before


def test_the_lag_of_clean_commands_is_information(make: Fixture, told: Fixture) -> None:
    found = [f for f in told(make("unitree_g1"), "information") if f.check == "lag"]
    assert [f.where for f in found] == ["arms, hands"]  # one message for both
    assert "2 steps (0.07 s) later" in found[0].message
    assert found[0].evidence["mean error there"] < found[0].evidence["mean error at 0"]


@pytest.mark.parametrize(("ahead", "severity"), [(0, "fault"), (1, "suspicion")])
def test_actions_that_are_the_states_are_named(
    make: Fixture, told: Fixture, ahead: int, severity: str
) -> None:
    def copied(episode: Episode) -> Episode:
        arms = np.asarray(episode.observation["arms"])
        later = np.concatenate([arms[ahead:], arms[len(arms) - ahead :]])
        return replace(episode, action={**episode.action, "arms": later})

    found = told(make("unitree_g1", change=copied))
    assert [(f.check, f.severity) for f in found] == [("lag", severity)]
    assert "made of the measurement, not commanded" in found[0].message


def test_deltas_made_of_states_are_information(make: Fixture, told: Fixture) -> None:
    def made(episode: Episode) -> Episode:
        tool = np.asarray(episode.observation["tool"], np.float64)
        moves = np.concatenate([np.diff(tool[:, :6], axis=0), np.zeros((1, 6))])
        return replace(episode, action={**episode.action, "arm": moves})

    source = make("widowx", change=made)
    assert told(source) == []
    found = [f for f in told(source, "information") if f.check == "lag"]
    assert any("the measured state's own moves" in f.message for f in found)


def test_a_single_step_late_is_a_suspicion(make: Fixture, told: Fixture, changed: Fixture) -> None:
    (found,) = told(make("widowx", change=changed("action", "arm", shifted(1))))
    assert (found.check, found.severity) == ("lag", "suspicion")
    assert "Actions come 1 step after the states" in found.message


def test_what_does_not_follow_has_no_lag(make: Fixture, told: Fixture, changed: Fixture) -> None:
    rng = np.random.default_rng(0)
    noise = changed("action", "arm", lambda v: rng.normal(0, 0.01, v.shape).astype(np.float32))
    source = make("widowx", change=noise)
    assert told(source) == []
    (found,) = [f for f in told(source, "cannot be told") if f.check == "lag"]
    assert "too few steps, or the state does not follow" in found.message
