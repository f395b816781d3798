from collections.abc import Callable
from dataclasses import replace
from typing import Any

from octoverse.episode import Episode

Fixture = Callable[..., Any]


def say(words: Callable[[int], str]) -> Callable[[Episode], Episode]:
    def change(episode: Episode) -> Episode:
        texts = [words(t) for t in range(len(episode))]
        return replace(episode, observation={**episode.observation, "instruction": texts})

    return change


def test_missing_words_are_a_suspicion(make: Fixture, told: Fixture) -> None:
    (found,) = told(make("widowx", change=say(lambda t: "lift" if t % 2 else "")))
    assert (found.check, found.severity) == ("words", "suspicion")
    assert "of the steps have no instruction" in found.message


def test_words_that_say_nothing_are_a_fault(make: Fixture, told: Fixture) -> None:
    (found,) = told(make("widowx", change=say(lambda t: "valid")))
    assert (found.check, found.severity) == ("words", "fault")
    assert "Instructions that say nothing: 'valid'" in found.message


def test_one_instruction_written_twice_is_a_suspicion(make: Fixture, told: Fixture) -> None:
    (found,) = told(make("widowx", change=say(lambda t: "Lift it." if t % 2 else "lift it")))
    assert (found.check, found.severity) == ("words", "suspicion")
    assert "'Lift it.' and 'lift it'" in found.message


def test_one_instruction_only_is_information(make: Fixture, told: Fixture) -> None:
    source = make("widowx", change=say(lambda t: "lift it"))
    assert told(source) == []
    found = [f for f in told(source, "information") if f.check == "words"]
    assert "There is one instruction only, 'lift it'" in found[0].message


def test_words_that_change_within_an_episode_are_told(make: Fixture, told: Fixture) -> None:
    source = make("widowx", change=say(lambda t: "lift it" if t < 9 else "put it down"))
    found = [f for f in told(source, "information") if f.check == "words"]
    assert "2 different instructions; they change within 6 episodes" in found[0].message
