from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from octoverse.episode import Episode

Fixture = Callable[..., Any]


def at(times: Callable[[np.ndarray], np.ndarray]) -> Callable[[Episode], Episode]:
    return lambda episode: replace(episode, times_ns=times(episode.times_ns).astype(np.int64))


def test_an_irregular_clock_is_a_fault(make: Fixture, told: Fixture) -> None:
    rng = np.random.default_rng(0)

    def shake(times: np.ndarray) -> np.ndarray:
        return np.sort(times + rng.uniform(0, 0.35 * 2e8, len(times)))

    (found,) = told(make("widowx", change=at(shake)))
    assert (found.check, found.severity) == ("clock", "fault")
    assert "The clock is irregular" in found.message


def test_dropped_frames_are_a_fault_with_their_place(make: Fixture, told: Fixture) -> None:
    def drop(times: np.ndarray) -> np.ndarray:
        return np.where(np.arange(len(times)) >= 30, times + 4e8, times)

    (found,) = told(make("widowx", change=at(drop)))
    assert (found.check, found.severity) == ("clock", "fault")
    assert "6 of 399 steps are longer than 1.5 medians, about 12 frames" in found.message
    assert found.where == "episode 0, step 29"


@pytest.mark.parametrize("back", [0.0, 5e8])
def test_time_that_does_not_go_on_is_a_fault(make: Fixture, told: Fixture, back: float) -> None:
    def jump(times: np.ndarray) -> np.ndarray:
        times = times.copy()
        times[30] = times[29] - back
        return times

    found = told(make("widowx", change=at(jump)))
    assert "Time stands still or runs backwards in 6 of 6 episodes" in found[0].message
    assert [f.severity for f in found if f.check == "clock"] == ["fault"]


@pytest.mark.parametrize(("factor", "severity"), [(1.1, "suspicion"), (3.0, "fault")])
def test_another_rate_than_the_body_s_is_named(
    make: Fixture, told: Fixture, factor: float, severity: str
) -> None:
    (found,) = told(make("widowx", change=at(lambda times: times * factor)))
    assert (found.check, found.severity) == ("clock", severity)
    assert "the body acts at 5 Hz" in found.message


def test_nominal_times_tell_nothing(make: Fixture, told: Fixture) -> None:
    nominal = make("widowx", change=at(lambda times: np.arange(len(times)) * 2e8))
    assert told(nominal) == []
    (found,) = [f for f in told(nominal, "cannot be told") if f.check == "clock"]
    assert "times are nominal" in found.message


def test_times_in_float32_are_nominal_too(make: Fixture, told: Fixture) -> None:
    def short(times: np.ndarray) -> np.ndarray:
        seconds = (1000 + np.arange(len(times)) / 5).astype(np.float32)
        return np.round(seconds.astype(np.float64) * 1e9)

    assert told(make("widowx", change=at(short))) == []


def test_an_even_clock_is_confirmed(make: Fixture, told: Fixture) -> None:
    (found,) = [f for f in told(make("widowx"), "information") if f.check == "clock"]
    assert "The clock is even: 100.0% of the steps" in found.message


def test_episodes_of_one_step_have_no_clock(make: Fixture, told: Fixture) -> None:
    def one(episode: Episode) -> Episode:
        return replace(
            episode,
            times_ns=episode.times_ns[:1],
            observation={k: v[:1] for k, v in episode.observation.items()},
            action={k: v[:1] for k, v in episode.action.items()},
        )

    found = told(make("widowx", change=one), "cannot be told")
    assert any("nothing can be said about its clock" in f.message for f in found)
