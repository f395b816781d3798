from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from octoverse.data.opened import OpenedEpisode
from octoverse.episode import Episode
from octoverse.errors import BadData
from octoverse.registry import load

ARM = load("embodiment", "tabletop_arm")


def arm(**changed: Any) -> Episode:
    steps = 4
    episode = Episode(
        embodiment="tabletop_arm",
        source="made",
        key="7",
        times_ns=np.arange(steps) * 100_000_000,
        observation={
            "table": [b"0123456789"] * steps,
            "tool": np.zeros((steps, 5)),
            "instruction": ["go"] * steps,
        },
        action={"arm": np.zeros((steps, 4)), "gripper": np.ones((steps, 1))},
    )
    return replace(episode, **changed)


def test_numbers_become_arrays_of_the_body_s_types_and_everything_has_a_mask() -> None:
    opened = OpenedEpisode(arm(), ARM)
    assert len(opened) == 4
    assert opened.numbers["tool"].dtype == opened.action["arm"].dtype == np.float32
    assert opened.valid.keys() == {"table", "tool", "instruction"}
    assert all(mask.all() for mask in (*opened.valid.values(), *opened.action_valid.values()))


def test_what_does_not_count_may_be_anything_and_becomes_zero() -> None:
    tool = np.full((4, 5), np.nan)
    tool[0] = 3
    known = np.array([True, False, False, False])
    opened = OpenedEpisode(arm(observation={"tool": tool}, observation_valid={"tool": known}), ARM)
    assert opened.numbers["tool"][:, 0].tolist() == [3, 0, 0, 0]


def test_images_that_are_held_count() -> None:

    eager = OpenedEpisode(arm(), ARM).nbytes
    none = OpenedEpisode(arm(observation={"tool": np.zeros((4, 5))}), ARM).nbytes
    assert eager >= none + 4 * 10


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (
            {"times_ns": np.zeros(0, np.int64), "observation": {}, "action": {}},
            "'made', episode 7: expected at least one time step, got none. Leave",
        ),
        (
            {"times_ns": np.array([0, 5, 5, 9])},
            "expected times that increase, got 5 ns and then 5 ns at step 2. Look at the recorder",
        ),
        (
            {"observation": {"tool": np.zeros((3, 5))}},
            "'made', episode 7, 'tool': expected 4 values, one per time step, got 3",
        ),
        (
            {"observation": {"tool": np.zeros((4, 6))}},
            r"'tool': expected \(4, 5\), got \(4, 6\)",
        ),
        (
            {"action": {"arm": np.array([[0, 0, 0, 0], [0, np.nan, 0, 0]] * 2)}},
            "'arm': expected finite numbers, got nan in dimension 1 of step 1. Mark such steps",
        ),
        (
            {"observation_valid": {"tool": np.ones((4, 5), bool)}},
            r"'tool': expected a mask \(4,\), got \(4, 5\)",
        ),
    ],
)
def test_an_episode_that_does_not_fit_is_refused(changed: dict[str, Any], words: str) -> None:
    with pytest.raises(BadData, match=words):
        OpenedEpisode(arm(**changed), ARM)
