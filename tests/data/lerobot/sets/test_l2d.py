import json
import pickle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from octoverse.data.dataset import open_data
from octoverse.data.lerobot.sets.l2d import L2DReader, summed
from octoverse.data.logs.drive import DriveReader
from octoverse.errors import BadData, UnknownName

STEPS = [120, 110]
TURN = 0.02
"""Heading to the right [rad/s], at 36 km/h."""


@pytest.fixture
def root(made: SimpleNamespace, tmp_path: Path) -> Path:
    """L2D's real feature names, shapes and types, over two short drives to the north."""
    folder = made.folders["v3.0"](tmp_path / "L2D", [2, 3])
    cameras = ("front_left", "left_forward", "right_backward", "map")
    features: dict[str, Any] = {
        f"observation.images.{name}": {"dtype": "video", "shape": [3, 64, 96]} for name in cameras
    }
    features["observation.state.vehicle"] = {"dtype": "float32", "shape": [8]}
    features["observation.state.waypoints"] = {"dtype": "float32", "shape": [10, 2]}
    features["task.instructions"] = {"dtype": "string", "shape": [1]}
    features["action.continuous"] = {"dtype": "float32", "shape": [3]}
    path = folder / "meta/info.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"features": features}))
    table: dict[str, Any] = {"episode_index": [0, 1], "length": STEPS}
    starts = [0, STEPS[0]]
    for key in ("data", *(f"videos/observation.images.{name}" for name in cameras)):
        table |= {f"{key}/chunk_index": [0, 0], f"{key}/file_index": [0, 0]}
        if key != "data":
            table[f"{key}/from_timestamp"] = [start / 10 for start in starts]
            made.film(folder / key / "chunk-000/file-000.mp4", range(sum(STEPS)), g="2")
    pq.write_table(pa.table(table), folder / "meta/episodes/chunk-000/file-000.parquet")
    at = np.concatenate([np.arange(n) / 10 for n in STEPS])
    state = np.zeros((len(at), 8), np.float32)
    state[:, 0], state[:, 1], state[:, 3] = 36.0, np.degrees(TURN * at), 52.5
    words = [word for word, n in zip(["turn right", ""], STEPS, strict=True) for _ in range(n)]
    columns = {
        "observation.state.vehicle": list(state),
        "task.instructions": words,
        "timestamp": at.astype(np.float32),
        "episode_index": np.repeat([0, 1], STEPS),
    }
    pq.write_table(pa.table(columns), folder / "data/chunk-000/file-000.parquet")
    return tmp_path


def test_a_drive_has_what_the_set_has(root: Path, made: SimpleNamespace) -> None:
    reader = L2DReader(folder=root / "L2D")
    assert reader.keys() == ("000000", "000001")
    first: DriveReader = reader
    drive = first.drive("000001")
    assert set(drive.cameras) == {"front", "cross_left", "rear_right"}  # the map is no camera
    assert made.number_of(drive.cameras["front"].images[5]) == STEPS[0] + 5
    assert drive.speed is not None and np.allclose(drive.speed.values, 10.0)
    assert drive.pedals is None and drive.command is None
    assert pickle.loads(pickle.dumps(reader)).fingerprint() == reader.fingerprint()
    with pytest.raises(UnknownName, match=r"No drive of '.*L2D' named '000007'"):
        reader.drive("000007")


def test_it_is_a_data_set_of_the_passenger_car(root: Path) -> None:
    whole = open_data("l2d", str(root), "all")
    assert (len(whole), whole.embodiment) == (2, "passenger_car")
    episode = whole.episode(0)
    # Clockwise from north is to the right: y falls, at 10 m/s.
    path = np.asarray(episode.action["path"])[0]
    assert path[9] == pytest.approx([10.0, -0.1, -TURN], abs=0.01)
    assert set(episode.observation["instruction"]) == {"turn right"}
    assert episode.observation["front"][0].shape == (64, 96, 3)


def test_positions_are_speeds_summed_along_headings() -> None:
    at = (np.arange(5) * 5e8).astype(np.int64)
    found = summed(at, np.full(5, 4.0), np.full(5, np.pi / 2))
    assert np.allclose(found, np.stack([[0, 2 * i, 0] for i in range(5)]))


def test_another_folder_is_refused(made: SimpleNamespace, tmp_path: Path) -> None:
    reader = L2DReader(folder=made.folders["v3.0"](tmp_path / "arm", [2]))
    words = r"episode 0: expected 2 rows with 'observation\.state\.vehicle', got 2 with observ"
    with pytest.raises(BadData, match=words):
        reader.drive("000000")
