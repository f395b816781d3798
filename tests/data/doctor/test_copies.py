from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from octoverse.data.doctor import copies
from octoverse.episode import Episode

Fixture = Callable[..., Any]


def test_an_episode_twice_is_a_suspicion(make: Fixture, told: Fixture) -> None:
    source = make("widowx")
    twice = replace(source, episodes=[*source.episodes, replace(source.episodes[2], key="again")])
    (found,) = told(twice)
    assert (found.check, found.severity, found.where) == ("copies", "suspicion", "episode again")
    assert "1 of 7 episodes are copies of others, such as again of 2" in found.message


def test_an_episode_in_both_splits_is_a_fault(make: Fixture, told: Fixture) -> None:
    train, test = make("widowx"), make("widowx", seed=1)
    other = replace(test, episodes=[*test.episodes, train.episodes[4]], name="test")
    (found,) = told(train, against=[other])
    assert (found.check, found.severity, found.where) == ("copies", "fault", "test")
    said = "1 of 6 episodes are in 'test', 1 of its 7 are here, such as 4 here and 4 there"
    assert said in found.message


def piece_of(whole: Episode) -> Episode:
    return replace(
        whole,
        key="piece",
        times_ns=whole.times_ns[20:45],
        observation={k: v[20:45] for k, v in whole.observation.items()},
        action={k: v[20:45] for k, v in whole.action.items()},
    )


def test_a_piece_of_an_episode_is_found_on_either_side(make: Fixture, told: Fixture) -> None:
    train = make("widowx", name="train")
    piece = replace(train, episodes=[piece_of(train.episodes[4])], name="piece")
    assert told(make("widowx", seed=1), against=[piece]) == []
    for mine, theirs in ((train, piece), (piece, train)):
        found = [f for f in told(mine, against=[theirs]) if f.check == "copies"]
        assert [(f.severity, f.where) for f in found] == [("fault", theirs.name)]


@pytest.mark.parametrize("place", [0, 6])
def test_a_piece_of_an_episode_is_found_within(make: Fixture, told: Fixture, place: int) -> None:
    source = make("widowx")
    episodes = list(source.episodes)
    episodes.insert(place, piece_of(episodes[4]))
    (found,) = told(replace(source, episodes=episodes))
    assert "1 of 7 episodes are copies of others, such as piece of 4" in found.message


def test_images_of_one_drive_under_other_numbers_are_found(
    make: Fixture, told: Fixture, changed: Fixture
) -> None:
    train = make("rc_car")
    other = [changed("action", "pedals", lambda v: v * 0.5)(one) for one in train.episodes]
    found = told(train, against=[replace(train, episodes=other, name="other")])
    assert "the same images" in found[0].message


def test_apart_is_confirmed(make: Fixture, told: Fixture) -> None:
    found = told(make("widowx"), "information", against=[make("widowx", seed=1, name="test")])
    assert any("None of 6 episodes here is among 6 of 'test'" in f.message for f in found)


def test_one_name_for_other_episodes_is_no_copy(make: Fixture, told: Fixture) -> None:
    one_name = make("widowx", change=lambda episode: replace(episode, key="same"))
    assert told(one_name) == []


def test_rest_is_no_copy(make: Fixture, told: Fixture) -> None:
    def rest(episode: Episode) -> Episode:
        pedals = np.zeros_like(episode.action["pedals"])
        pedals[::7, 1] = 0.5
        return replace(episode, action={"pedals": pedals})

    assert [f for f in told(make("rc_car", change=rest)) if f.check == "copies"] == []


def test_of_many_episodes_images_are_opened_only_where_numbers_do_not_tell(
    make: Fixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def quiet(what: str, done: int, total: int) -> None:
        pass

    still = make("rc_car", change=lambda e: replace(e, action={"pedals": e.action["pedals"] * 0}))
    monkeypatch.setattr(copies, "_IMAGES", 2)
    told, _ = copies.prints_of(make("widowx"), None, quiet)
    assert all(one.runs and not one.images for one in told)
    untold, _ = copies.prints_of(still, None, quiet)
    assert all(len(one.images) == 3 for one in untold)
