from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from octoverse.data.doctor.looking import Look, look_at
from octoverse.data.doctor.runner import examine
from octoverse.errors import BadData

Fixture = Callable[..., Any]


def quiet(what: str, done: int, total: int) -> None:
    pass


def test_no_more_is_looked_at_than_asked(make: Fixture) -> None:
    source = make("widowx", episodes=12)
    looked = look_at(source, Look(episodes=4, images=16), quiet).looked
    assert (looked.episodes, looked.of_episodes) == (4, 12)
    assert looked.steps < looked.of_steps
    assert looked.images == 3 * 16  # three cameras


def test_everything_is_every_episode_and_every_image(make: Fixture) -> None:
    recording = look_at(make("rc_car"), Look(episodes=2, images=2, everything=True), quiet)
    assert recording.looked.episodes == 6
    assert len(recording.pictures["front"]) == recording.looked.steps


def test_images_are_not_kept(make: Fixture) -> None:
    recording = look_at(make("rc_car"), Look(), quiet)
    assert all("front" not in episode.observation for episode in recording.episodes)


def test_progress_is_told(make: Fixture) -> None:
    heard = []
    examine(make("rc_car"), tell=lambda what, done, total: heard.append((what, total)))
    assert ("reading episodes", 6) in heard
    assert any(what == "checking clock" for what, _ in heard)


def test_a_data_set_of_which_nothing_can_be_read_is_refused(make: Fixture) -> None:
    @dataclass(frozen=True, kw_only=True)
    class Broken:
        inner: Any
        name: str = "broken"
        embodiment: str = "rc_car"

        def __len__(self) -> int:
            return len(self.inner)

        def lengths(self) -> np.ndarray:
            return np.asarray(self.inner.lengths())

        def fingerprint(self) -> str:
            return "broken"

        def episode(self, index: int) -> Any:
            raise BadData(f"file {index}: cut short.")

    with pytest.raises(BadData, match=r"'broken': no episode can be read\. file 0: cut short"):
        look_at(Broken(inner=make("rc_car")), Look(), quiet)


def test_images_that_are_masked_are_not_looked_at(make: Fixture, told: Fixture) -> None:
    def mask(episode: Any) -> Any:
        front = np.array(episode.observation["front"])
        valid = np.arange(len(episode)) < 30
        front[~valid] = 0
        return replace(episode, observation={"front": front}, observation_valid={"front": valid})

    assert told(make("rc_car", change=mask)) == []
