from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from octoverse.data.dataset import open_data
from octoverse.data.source import Source


@pytest.fixture
def whole(real_data: Callable[[str], Path]) -> Source:
    return open_data("unitree-g1-inspire", str(real_data("unitree-g1-inspire").parent), "all")


def test_episodes_keep_their_numbers_and_the_last_is_held_out(
    real_data: Callable[[str], Path], whole: Source
) -> None:
    root = str(real_data("unitree-g1-inspire").parent)
    assert [whole.episode(i).key for i in range(6)] == ["20", "21", "22", "23", "24", "25"]
    assert whole.lengths().tolist() == [297, 302, 348, 311, 297, 310]
    assert len(open_data("unitree-g1-inspire", root, "train")) == 5
    assert open_data("unitree-g1-inspire", root, "val").episode(0).key == "25"


def test_arms_and_hands_are_apart(whole: Source) -> None:
    episode = whole.episode(0)
    assert {k: v.shape for k, v in episode.action.items()} == {
        "arms": (297, 14),
        "hands": (297, 12),
    }
    hands = episode.action["hands"]
    assert hands.min() >= 0 and hands.max() <= 1
    assert episode.observation["instruction"][5] == "Pick up the yellow bottle on the table."
    assert episode.times_ns[:3].tolist() == [0, 33_333_333, 66_666_667]


@pytest.mark.parametrize(("part", "best"), [("arms", 4), ("hands", 10)])
def test_the_state_follows_the_command(whole: Source, part: str, best: int) -> None:
    def error(lag: int) -> float:
        found = []
        for i in range(len(whole)):
            episode = whole.episode(i)
            state, action = np.asarray(episode.observation[part]), episode.action[part]
            found.append(np.abs(state[lag:] - action[: len(action) - lag]).mean())
        return float(np.mean(found))

    assert int(np.argmin([error(lag) for lag in range(14)])) == best


def test_every_video_has_a_frame_for_every_row(whole: Source) -> None:
    for i in range(len(whole)):
        images = whole.episode(i).observation["head"]
        assert images[len(images) - 1].shape == (480, 640, 3)
