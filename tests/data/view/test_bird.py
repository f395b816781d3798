from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from octoverse import registry
from octoverse.data.view.bird import MOST_POINTS, bird
from octoverse.embodiment import AccelerationCurvature, Embodiment
from octoverse.episode import Tracks

CAR: Embodiment = registry.load("embodiment", "passenger_car")


def test_paths_history_and_agents_are_told_by_step(made_data: Any) -> None:
    episode = made_data.MadeDrives().episode(0)
    found = bird(episode, CAR, range(5))
    assert found is not None
    assert len(found["path"]) == len(found["history"]) == 5
    assert len(found["path"][0]) == MOST_POINTS - 1  # the last of them is masked
    assert found["path"][2][0] == [round(float(v), 2) for v in episode.action["path"][2, 0, :2]]
    assert found["agents"][0] == [[9.0, 1.0, 0.1, 4.0, 2.0, 0]] and 2 not in found["agents"]
    assert found["kinds"] == ["vehicle"] and found["common"] == 0


def test_a_path_of_which_nothing_is_real_is_none(made_data: Any) -> None:
    episode = made_data.MadeDrives().episode(0)
    masked = {"path": np.zeros((5, 64), bool)}
    found = bird(replace(episode, action_valid=masked), CAR, range(5))
    assert found is not None and found["path"] == [None] * 5


def test_agents_far_away_or_between_the_shown_steps_are_left_out(made_data: Any) -> None:
    episode = made_data.MadeDrives().episode(0)
    assert episode.tracks is not None
    far = replace(episode.tracks, pose=episode.tracks.pose + np.array([500, 0, 0], np.float32))
    found = bird(replace(episode, tracks=far), CAR, range(5))
    assert found is not None and found["agents"] == {} and found["common"] is None
    other = bird(episode, CAR, range(0, 5, 2))
    assert other is not None and list(other["agents"]) == [0]


def test_acceleration_and_curvature_are_rolled_out_as_far_as_they_are_known(
    made_data: Any,
) -> None:
    import msgspec

    group = AccelerationCurvature(steps=4, hz=2.0)
    body = msgspec.structs.replace(CAR, action={**CAR.action, "controls": group})
    episode = made_data.MadeDrives().episode(0)
    speed = np.full((5, 1), 10.0, np.float32)
    known = np.tile(np.array([True, True, False, True]), (5, 1))
    found = bird(
        replace(
            episode,
            observation={**episode.observation, "speed": speed},
            action={**episode.action, "controls": np.zeros((5, 4, 2), np.float32)},
            action_valid={**episode.action_valid, "controls": known},
        ),
        body,
        range(5),
    )
    assert found is not None and found["rolled"][0] == [[5.0, 0.0], [10.0, 0.0]]


def test_what_does_not_drive_has_no_view_from_above(small: Any) -> None:
    body = registry.load("embodiment", "tabletop_arm")
    assert bird(small.Made().episode(0), body, range(3)) is None


def test_agents_alone_are_worth_a_view(made_data: Any) -> None:
    arm = registry.load("embodiment", "widowx")
    episode = replace(made_data.MadeDrives().episode(0), action={}, observation={})
    assert isinstance(episode.tracks, Tracks)
    found = bird(episode, arm, range(5))
    assert found is not None and found["ahead"] == pytest.approx(40.0)
