from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from octoverse.data.dataset import open_data
from octoverse.data.source import Source


@pytest.fixture
def whole(real_data: Callable[[str], Path]) -> Source:
    return open_data("gr00t-gr1-sim", str(real_data("gr00t-gr1-sim").parent), "all")


def test_files_are_found_where_they_are(whole: Source) -> None:
    assert whole.lengths().tolist() == [416, 470, 470]
    for i in range(3):
        images = whole.episode(i).observation["head"]
        assert images[0].shape == images[len(images) - 1].shape == (256, 256, 3)


def test_instructions_are_tasks_and_not_the_flag(whole: Source) -> None:
    said = [set(whole.episode(i).observation["instruction"]) for i in range(3)]
    assert said == [
        {f"pick the {thing} from the counter and place it in the plate"}
        for thing in ("pear", "sweet potato", "meat")
    ]


def test_parts_of_the_body_are_those_of_modality_json(
    real_data: Callable[[str], Path], whole: Source
) -> None:
    file = real_data("gr00t-gr1-sim") / "data/chunk-000/episode_000001.parquet"
    action = np.array(pq.read_table(file)["action"].to_pylist(), np.float32)
    found = whole.episode(1).action
    assert np.array_equal(found["left_arm"], action[:, :7])
    assert np.array_equal(found["right_arm"], action[:, 22:29])
    assert np.array_equal(found["right_hand"], action[:, 29:35])


def test_one_episode_is_held_out(real_data: Callable[[str], Path]) -> None:
    root = str(real_data("gr00t-gr1-sim").parent)
    assert open_data("gr00t-gr1-sim", root).lengths().tolist() == [416, 470]
    assert open_data("gr00t-gr1-sim", root, "val").episode(0).key == "2"
