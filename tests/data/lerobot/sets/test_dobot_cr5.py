from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from octoverse.data.dataset import open_data
from octoverse.data.source import Source


@pytest.fixture
def whole(real_data: Callable[[str], Path]) -> Source:
    return open_data("dobot-cr5", str(real_data("dobot-cr5").parent), "all")


def test_whole_episodes_are_held_out(real_data: Callable[[str], Path], whole: Source) -> None:
    root = str(real_data("dobot-cr5").parent)
    train, val = open_data("dobot-cr5", root), open_data("dobot-cr5", root, "val")
    assert whole.lengths().tolist() == [197, 215, 275, 209, 237, 199, 211, 297]
    assert (len(train), len(val)) == (6, 2)
    keys = [s.episode(i).key for s in (train, val) for i in range(len(s))]
    assert keys == [str(i) for i in range(8)]


def test_the_gripper_is_turned_round_and_begins_open(whole: Source) -> None:
    for i in range(len(whole)):
        opening = whole.episode(i).action["gripper"]
        assert opening.shape == (len(whole.episode(i)), 1)
        assert opening[0, 0] == 1.0 and opening.min() == 0.0


def test_velocities_are_those_of_the_state_by_the_recorded_clock(whole: Source) -> None:
    episode = whole.episode(0)
    seconds = episode.times_ns / 1e9
    gaps = np.diff(seconds)
    assert gaps.min() < 0.09 and gaps.max() > 0.15  # irregular, as recorded
    measured = np.gradient(episode.observation["joints"], seconds, axis=0)[:, :4]
    said = episode.action["arm"][:, :4]
    assert np.corrcoef(measured.ravel(), said.ravel())[0, 1] > 0.95


def test_every_row_has_its_frame_by_number(whole: Source) -> None:
    episode = whole.episode(7)
    assert len(episode.observation["wrist"]) == len(episode) == 297
    assert episode.observation["wrist"][296].shape == (480, 640, 3)
    # The camera is on the wrist: its picture changes most where the joints are fastest.
    speed = np.abs(episode.action["arm"]).sum(1)
    pictures = [episode.observation["wrist"][i][::8, ::8].astype(float) for i in range(1, 121)]
    change = [np.abs(b - a).mean() for a, b in pairwise(pictures)]
    assert np.corrcoef(change, speed[2:121])[0, 1] > 0.5


def test_numbers_are_those_of_the_file(real_data: Callable[[str], Path], whole: Source) -> None:
    file = real_data("dobot-cr5") / "data/chunk-000/episode_000003.parquet"
    table = pq.read_table(file)
    episode = whole.episode(3)
    assert np.array_equal(
        episode.observation["joints"], np.array(table["observation.state"].to_pylist(), np.float32)
    )
    assert np.array_equal(
        episode.action["arm"], np.array(table["action"].to_pylist(), np.float32)[:, :6]
    )
    assert set(episode.observation["instruction"]) == {"put the banana on the plate"}
