from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from octoverse.episode import Episode

Fixture = Callable[..., Any]


def test_numbers_that_are_not_finite_are_a_fault(
    make: Fixture, told: Fixture, changed: Fixture
) -> None:
    def hurt(values: np.ndarray) -> np.ndarray:
        values = values.copy()
        values[7, 2] = np.nan
        return values

    (found,) = told(make("widowx", change=changed("action", "arm", hurt)))
    assert (found.check, found.severity, found.where) == ("limits", "fault", "arm, episode 0")
    assert "1 of its 360 valid numbers are not finite" in found.message


def test_masked_numbers_may_be_anything(make: Fixture, told: Fixture) -> None:
    def masked(episode: Episode) -> Episode:
        arm, valid = episode.action["arm"].copy(), np.ones(len(episode), bool)
        arm[7], valid[7] = np.nan, False
        return replace(episode, action={**episode.action, "arm": arm}, action_valid={"arm": valid})

    assert told(make("widowx", change=masked)) == []


def test_numbers_beyond_the_limits_are_a_fault(
    make: Fixture, told: Fixture, changed: Fixture
) -> None:
    def far(values: np.ndarray) -> np.ndarray:
        values = values.copy()
        values[:, 1] = values[:, 1] * 3
        return values

    (found,) = told(make("rc_car", change=changed("action", "pedals", far)))
    assert (found.check, found.severity) == ("limits", "fault")
    assert found.where == "pedals.throttle"
    assert "lie beyond -1 to 1; they go from" in found.message


def test_millimetres_are_recognised(make: Fixture, told: Fixture, changed: Fixture) -> None:
    def small(values: np.ndarray) -> np.ndarray:
        values = values.copy()
        values[:, :3] *= 1000
        return values

    found = told(make("widowx", change=changed("observation", "tool", small)))
    assert any("They look like millimetres." in f.message for f in found)


def test_noise_about_a_stop_is_no_fault(make: Fixture, told: Fixture, changed: Fixture) -> None:
    def rub(values: np.ndarray) -> np.ndarray:
        values = values.copy()
        values[:20, 1] = 1.02 + 0.01 * np.sin(np.arange(20))
        return values

    assert told(make("rc_car", change=changed("action", "pedals", rub))) == []


def test_commands_that_do_not_exist_are_a_fault(
    make: Fixture, told: Fixture, changed: Fixture
) -> None:
    beyond = changed("observation", "command", lambda values: values + 1)
    (found,) = told(make("passenger_car", change=beyond))
    assert (found.check, found.severity, found.where) == ("limits", "fault", "command")
    assert "none of 0 to 3 (left, straight, right, unknown), such as 4" in found.message
