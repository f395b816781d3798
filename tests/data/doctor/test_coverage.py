from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from octoverse.episode import Episode

Fixture = Callable[..., Any]


def without(side: str, name: str) -> Callable[[Episode], Episode]:
    def change(episode: Episode) -> Episode:
        given = {k: v for k, v in getattr(episode, side).items() if k != name}
        less: dict[str, Any] = {side: given}
        return replace(episode, **less)

    return change


def test_a_stream_that_the_body_needs_and_nobody_has_is_a_suspicion(
    make: Fixture, told: Fixture
) -> None:
    (found,) = told(make("widowx", change=without("observation", "primary")))
    assert (found.check, found.severity, found.where) == ("coverage", "suspicion", "primary")
    assert "Nowhere in the data, though 'widowx' asks for it" in found.message


def test_an_optional_stream_may_be_absent(make: Fixture, told: Fixture) -> None:
    source = make("widowx", change=without("observation", "tertiary"))
    assert told(source) == []
    (found,) = [f for f in told(source, "information") if f.check == "coverage"]
    assert found.where == "tertiary"


def test_a_stream_that_some_episodes_have_is_told(make: Fixture, told: Fixture) -> None:
    def some(episode: Episode) -> Episode:
        return without("observation", "tertiary")(episode) if int(episode.key) % 2 else episode

    source = make("widowx", change=some)
    assert told(source) == []
    found = [f for f in told(source, "information") if f.check == "coverage"]
    assert any(f.where == "tertiary" and "3 of 6 episodes have it" in f.message for f in found)


def test_actions_that_are_absent_are_a_fault(make: Fixture, told: Fixture) -> None:
    (found,) = told(make("widowx", change=without("action", "gripper")))
    assert (found.check, found.severity, found.where) == ("coverage", "fault", "gripper")
    assert "absent throughout" in found.message


def test_actions_that_are_masked_everywhere_are_a_fault(make: Fixture, told: Fixture) -> None:
    def mask(episode: Episode) -> Episode:
        return replace(episode, action_valid={"pedals": np.zeros(len(episode), bool)})

    (found,) = told(make("rc_car", change=mask))
    assert (found.check, found.severity) == ("coverage", "fault")
    assert "masked everywhere" in found.message


def test_actions_masked_in_part_are_information(make: Fixture, told: Fixture) -> None:
    def mask(episode: Episode) -> Episode:
        return replace(episode, action_valid={"pedals": np.arange(len(episode)) < 30})

    source = make("rc_car", change=mask)
    assert told(source) == []
    assert any("of its actions are masked" in f.message for f in told(source, "information"))


def test_paths_that_are_never_whole_are_a_suspicion(make: Fixture, told: Fixture) -> None:
    def cut(episode: Episode) -> Episode:
        valid = np.zeros(episode.action["path"].shape[:2], bool)
        valid[:, :20] = True
        return replace(episode, action_valid={"path": valid})

    (found,) = told(make("passenger_car", change=cut))
    assert (found.check, found.severity) == ("coverage", "suspicion")
    assert "the longest has 20, 2 of 6.4 s" in found.message


def cut_to(count: int) -> Callable[[Episode], Episode]:
    def cut(episode: Episode) -> Episode:
        return replace(
            episode,
            times_ns=episode.times_ns[:count],
            observation={k: v[:count] for k, v in episode.observation.items()},
            action={k: v[:count] for k, v in episode.action.items()},
        )

    return cut


def test_episodes_of_one_length_are_suspected_to_be_cut(make: Fixture, told: Fixture) -> None:
    (found,) = told(make("widowx", change=cut_to(20)))
    assert (found.check, found.severity) == ("coverage", "suspicion")
    assert "All 6 episodes have exactly 20 steps: they were probably cut" in found.message


def test_episodes_shorter_than_a_chunk_are_told(make: Fixture, told: Fixture) -> None:
    found = told(make("widowx", change=cut_to(5)))
    assert any("6 of 6 episodes are shorter than a chunk of 8 steps" in f.message for f in found)
