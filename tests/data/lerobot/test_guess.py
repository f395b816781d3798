import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from octoverse import registry
from octoverse.data.lerobot.guess import Guess, guess
from octoverse.data.lerobot.source import LeRobotSource
from octoverse.data.standard import Taken
from octoverse.embodiment import Camera, Gripper, JointPosition, JointVelocity, State
from octoverse.errors import BadData


def opened(found: Guess, monkeypatch: pytest.MonkeyPatch) -> LeRobotSource:
    """The folder by what the pasted text says, as if its body were installed."""
    made: dict[str, Any] = {}
    exec(found.text, made)
    assert made["BODY"] == found.body and made["STANDARD"] == found.standard
    monkeypatch.setattr(registry, "load", lambda kind, name: made["BODY"])
    return LeRobotSource(folder=found.folder, standard=made["STANDARD"])


def test_an_arm_with_a_gripper(
    real_data: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = guess(real_data("dobot-cr5"))
    assert isinstance(found.body.action["arm"], JointVelocity)
    assert isinstance(found.body.action["gripper"], Gripper)
    assert found.standard.action["gripper"] == Taken(feature="action", start=6, stop=7)
    assert found.body.control_hz == 10.0
    assert "which end is open cannot be told" in found.text
    assert "is it really primary? A name can mislead" in found.text
    episode = opened(found, monkeypatch).episode(3)
    assert episode.action["arm"].shape == (209, 6)
    assert episode.observation["top"][0].shape == (480, 640, 3)


def test_a_humanoid_with_nested_names(
    real_data: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = guess(real_data("unitree-g1-inspire"))
    assert isinstance(found.body.action["arm"], JointPosition)
    assert found.body.action["arm"].names[0] == "kleftshoulderpitch"
    assert any("closest to it 8 steps later" in note for note in found.notes)
    assert opened(found, monkeypatch).episode(0).action["arm"].shape == (297, 26)


def test_parts_that_modality_json_names(
    real_data: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = guess(real_data("gr00t-gr1-sim"))
    assert set(found.body.action) == {"left_arm", "right_arm", "right_hand"}
    assert found.standard.instruction == {"instruction": "annotation.human.action.task_description"}
    left_out = [note.split("'")[1] for note in found.notes if "is left out" in note]
    assert "observation.images.egoview" in left_out and "state.neck" in left_out
    episode = opened(found, monkeypatch).episode(2)
    assert episode.observation["ego_view"][0].shape == (256, 256, 3)


def test_a_folder_of_ours(made: SimpleNamespace, tmp_path: Path) -> None:
    found = guess(made.folders["v3.0"](tmp_path / "my arm", [12, 9]))
    assert found.body.name == "my_arm"
    assert found.body.observation["top"] == Camera(height=64, width=96, role="primary")
    assert isinstance(found.body.observation["joints"], State)


def test_numbers_that_are_not_finite_are_told(made: SimpleNamespace, tmp_path: Path) -> None:
    folder = made.folders["v2.1"](tmp_path / "set", [12])
    path = folder / "data/chunk-000/episode_000000.parquet"
    table, rows = pq.read_table(path), np.random.default_rng(0).normal(size=(12, 7))
    rows[3, 1] = np.nan
    pq.write_table(table.set_column(1, "action", pa.array(list(rows))), path)
    assert "'action' has 1 rows that are not finite." in guess(folder).notes


def test_folders_without_actions_or_episodes_are_refused(
    made: SimpleNamespace, tmp_path: Path
) -> None:
    folder = made.folders["v2.1"](tmp_path / "set", [3])
    path = folder / "meta/info.json"
    info = json.loads(path.read_text())
    path.write_text(json.dumps(info | {"total_episodes": 0}))
    (folder / "meta/episodes.jsonl").write_text("")
    with pytest.raises(BadData, match="expected at least one episode, the data set is empty"):
        guess(folder)
    del info["features"]["action"]
    path.write_text(json.dumps(info))
    (folder / "meta/episodes.jsonl").write_text('{"episode_index": 0, "length": 3}')
    with pytest.raises(BadData, match=r"found no feature of actions among observation\.images"):
        guess(folder)
