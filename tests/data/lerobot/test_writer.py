import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow.parquet as pq
import pytest
import simplejpeg

from octoverse import registry
from octoverse.data.lerobot import writer as module
from octoverse.data.lerobot.source import LeRobotSource
from octoverse.data.lerobot.writer import LeRobotWriter
from octoverse.embodiment import Camera, Embodiment
from octoverse.episode import Episode
from octoverse.errors import BadData
from octoverse.preprocess import decode

ARM: Embodiment = registry.load("embodiment", "tabletop_arm")


def same(got: Episode, want: Episode) -> None:
    assert got.key == want.key and got.embodiment == want.embodiment
    assert np.array_equal(got.times_ns, want.times_ns)
    for side in ("observation", "action", "observation_valid", "action_valid"):
        mine: Mapping[str, Any] = getattr(got, side)
        other: Mapping[str, Any] = getattr(want, side)
        assert mine.keys() == other.keys()
        for name, values in other.items():
            found = mine[name]
            if isinstance(found[0], bytes):
                found = np.stack([decode(image) for image in found])
            if isinstance(values, list):
                assert list(found) == values
            else:
                assert np.array_equal(found, values), name
                assert found.shape == values.shape


def shrunk(name: str) -> Embodiment:
    body: Embodiment = registry.load("embodiment", name)
    small = {
        k: msgspec.structs.replace(v, height=6, width=8) if isinstance(v, Camera) else v
        for k, v in body.observation.items()
    }
    return msgspec.structs.replace(body, observation=small)


@pytest.mark.parametrize("name", registry.names("embodiment"))
def test_every_body_reads_back_equal(
    sample: Callable[..., Episode], tmp_path: Path, name: str
) -> None:
    body = shrunk(name)
    episodes = [sample(body, steps, seed) for seed, steps in enumerate([3, 1, 5])]
    with LeRobotWriter(tmp_path, body) as writer:
        for episode in episodes:
            writer.add(episode)
    source = LeRobotSource(folder=tmp_path)
    assert source.lengths().tolist() == [3, 1, 5]
    for i, episode in enumerate(episodes):
        same(source.episode(i), episode)


def test_masks_read_back_equal(sample: Callable[..., Episode], tmp_path: Path) -> None:
    body = shrunk("road_car")
    whole = sample(body, 4)
    valid = np.arange(30)[None] + np.arange(4)[:, None] < 31
    masked = replace(
        whole,
        observation_valid={"front": np.array([True, False, True, True])},
        action_valid={"path": valid},
    )
    with LeRobotWriter(tmp_path, body) as writer:
        writer.add(masked)
        writer.add(replace(masked, key="b"))
    same(LeRobotSource(folder=tmp_path).episode(1), replace(masked, key="b"))


def test_an_empty_instruction_is_absent_and_encoded_images_stay_as_they_are(
    sample: Callable[..., Episode], tmp_path: Path
) -> None:
    episode = sample()
    jpeg = [simplejpeg.encode_jpeg(image) for image in episode.observation["table"]]
    words = ["", "", "lift", "lift"]
    with LeRobotWriter(tmp_path, ARM) as writer:
        writer.add(
            replace(
                episode, observation={**episode.observation, "table": jpeg, "instruction": words}
            )
        )
    got = LeRobotSource(folder=tmp_path).episode(0)
    assert list(got.observation["table"]) == jpeg
    assert got.observation_valid["instruction"].tolist() == [False, False, True, True]


def test_files_are_split_by_size_and_one_row_group_is_one_episode(
    sample: Callable[..., Episode], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FLUSH_BYTES", 2_000_000)
    episodes = [sample(seed=seed, steps=20) for seed in range(7)]
    with LeRobotWriter(tmp_path, ARM) as writer:
        for episode in episodes:
            writer.add(episode)
    files = sorted(tmp_path.glob("data/chunk-000/file-*.parquet"))
    assert len(files) > 1
    assert sum(pq.ParquetFile(file).num_row_groups for file in files) == 7
    source = LeRobotSource(folder=tmp_path)
    for i in (6, 0, 3):
        same(source.episode(i), episodes[i])


def test_a_recording_goes_on_where_it_ended(sample: Callable[..., Episode], tmp_path: Path) -> None:
    for seed in range(3):
        with LeRobotWriter(tmp_path / "parts", ARM) as writer:
            assert writer.keys == tuple(f"made-{i}" for i in range(seed))
            writer.add(sample(seed=seed))
    with LeRobotWriter(tmp_path / "whole", ARM) as writer:
        for seed in range(3):
            writer.add(sample(seed=seed))
    one, other = LeRobotSource(folder=tmp_path / "parts"), LeRobotSource(folder=tmp_path / "whole")
    assert one.info == other.info
    for i in range(3):
        same(one.episode(i), sample(seed=i))
    parts, whole = (
        json.loads((tmp_path / n / "meta/stats.json").read_text()) for n in ("parts", "whole")
    )
    assert parts.keys() == whole.keys()
    for key in whole:
        for name in whole[key]:
            assert np.allclose(parts[key][name], whole[key][name]), (key, name)


def test_a_killed_recording_keeps_every_flushed_episode(
    sample: Callable[..., Episode], tmp_path: Path
) -> None:
    writer = LeRobotWriter(tmp_path, ARM)
    writer.add(sample(seed=0))
    writer.add(sample(seed=1))
    writer.flush()
    counted = (tmp_path / "meta/info.json").read_bytes()
    writer.add(sample(seed=2))
    writer.flush()
    # Killed after the data files appeared, before info.json counted them.
    (tmp_path / "meta/info.json").write_bytes(counted)
    (tmp_path / "meta/.info.json.part").write_bytes(b"{")
    source = LeRobotSource(folder=tmp_path)
    assert len(source) == 2
    same(source.episode(1), sample(seed=1))
    with LeRobotWriter(tmp_path, ARM) as again:
        assert len(again) == 2
        again.add(sample(seed=5))
    source = LeRobotSource(folder=tmp_path)
    assert [source.episode(i).key for i in range(3)] == ["made-0", "made-1", "made-5"]
    same(source.episode(2), sample(seed=5))


def test_the_layout_is_that_of_lerobot_v3(sample: Callable[..., Episode], tmp_path: Path) -> None:
    with LeRobotWriter(tmp_path, ARM) as writer:
        writer.add(sample(steps=4))
        writer.add(sample(steps=6, seed=1))
    info = json.loads((tmp_path / "meta/info.json").read_text())
    assert info["codebase_version"] == "v3.0" and info["fps"] == 10
    assert (info["total_episodes"], info["total_frames"]) == (2, 10)
    assert info["splits"] == {"train": "0:2"}
    assert info["features"]["observation.images.table"] == {
        "dtype": "image",
        "shape": [96, 96, 3],
        "names": ["height", "width", "channels"],
    }
    assert info["features"]["action"]["shape"] == [5]
    assert info["features"]["action"]["names"][-1] == "gripper.opening"
    rows = pq.read_table(tmp_path / "meta/episodes/chunk-000/file-000.parquet").to_pylist()
    assert [(r["dataset_from_index"], r["dataset_to_index"]) for r in rows] == [(0, 4), (4, 10)]
    assert rows[1]["data/file_index"] == 0 and rows[1]["episode_index"] == 1
    table = pq.read_table(tmp_path / "data/chunk-000/file-000.parquet")
    assert table["index"].to_pylist() == list(range(10))
    assert table["timestamp"].to_pylist()[:3] == pytest.approx([0, 0.1, 0.2])
    stats = json.loads((tmp_path / "meta/stats.json").read_text())
    actions = np.array(table["action"].to_pylist())
    assert stats["action"]["mean"] == pytest.approx(actions.mean(axis=0), abs=1e-6)
    assert stats["action"]["std"] == pytest.approx(actions.std(axis=0), abs=1e-6)
    assert np.shape(stats["observation.images.table"]["mean"]) == (3, 1, 1)
    meta = json.loads(pq.read_schema(tmp_path / "meta/tasks.parquet").metadata[b"pandas"])
    assert meta["index_columns"] == ["__index_level_0__"]


def test_lerobot_itself_reads_what_is_written(
    sample: Callable[..., Episode], tmp_path: Path
) -> None:
    judge = pytest.importorskip("lerobot.datasets.lerobot_dataset", exc_type=ImportError)
    episodes = [sample(shrunk("road_car"), steps, seed) for seed, steps in enumerate([3, 4])]
    with LeRobotWriter(tmp_path, shrunk("road_car")) as writer:
        for episode in episodes:
            writer.add(episode)
    got = judge.LeRobotDataset("local/made", root=tmp_path)
    assert (got.num_episodes, got.num_frames, got.fps) == (2, 7, 10)
    step, want = got[5], episodes[1]
    assert np.array_equal(step["action.path"].numpy(), want.action["path"][2])
    assert step["task"] == want.observation["instruction"][2]
    image = np.round(step["observation.images.front"].numpy() * 255).astype(np.uint8)
    assert np.array_equal(image.transpose(1, 2, 0), want.observation["front"][2])


def test_unfit_episodes_are_refused(sample: Callable[..., Episode], tmp_path: Path) -> None:
    writer = LeRobotWriter(tmp_path, ARM)
    whole = sample()
    with pytest.raises(BadData, match="expected at least one step of 'tabletop_arm', got 3 of"):
        writer.add(sample(shrunk("rc_car"), 3))
    writer.add(whole)
    fewer = {k: v for k, v in whole.observation.items() if k != "wrist"}
    with pytest.raises(BadData, match="expected observation instruction, table, tool, wrist, got"):
        writer.add(replace(whole, observation=fewer))
    with pytest.raises(BadData, match="'gripper': expected 4 values, got 3"):
        writer.add(replace(whole, action={**whole.action, "gripper": np.ones((3, 1))}))
    with pytest.raises(BadData, match="the first episode had no mask for it"):
        writer.add(replace(whole, action_valid={"arm": np.array([True, True, True, False])}))


def test_other_folders_are_not_written_into(sample: Callable[..., Episode], tmp_path: Path) -> None:
    with LeRobotWriter(tmp_path / "arm", ARM) as writer:
        writer.add(sample())
    with pytest.raises(BadData, match="expected a recording of 'rc_car', got another body"):
        LeRobotWriter(tmp_path / "arm", registry.load("embodiment", "rc_car"))
    (tmp_path / "meta").mkdir()
    (tmp_path / "meta/modality.json").write_text("{}")
    with pytest.raises(BadData, match=r"a meta folder without meta/info\.json"):
        LeRobotWriter(tmp_path, ARM)
