import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from octoverse import registry
from octoverse.data.lerobot.source import LeRobotSource
from octoverse.data.lerobot.writer import LeRobotWriter
from octoverse.data.source import Source
from octoverse.episode import Episode
from octoverse.errors import BadData


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with LeRobotWriter(tmp_path, registry.load("embodiment", "rc_car")) as writer:
        for number, steps in enumerate([4, 2, 3]):
            at = np.arange(steps, dtype=np.float32)
            writer.add(
                Episode(
                    embodiment="rc_car",
                    source="made",
                    key=f"drive {number}",
                    times_ns=np.arange(steps) * 50_000_000,
                    observation={"front": np.full((steps, 6, 8, 3), number, np.uint8)},
                    action={"pedals": np.stack([at, at + number], axis=1)},
                )
            )
    return tmp_path


def change(path: Path, **fields: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def test_a_recording_is_a_source(folder: Path) -> None:
    source = LeRobotSource(folder=folder)
    assert isinstance(source, Source)
    assert (source.name, source.embodiment) == (folder.name, "rc_car")
    assert LeRobotSource(folder=folder, label="mine").name == "mine"
    assert source.episode(2).action["pedals"].tolist() == [[0, 2], [1, 3], [2, 4]]
    with pytest.raises(IndexError, match="has episodes 0 to 2, got 3"):
        source.episode(3)


def test_splits_are_ranges_of_episodes(folder: Path) -> None:
    change(folder / "meta/info.json", splits={"train": "0:2", "val": "2:3"})
    assert LeRobotSource(folder=folder, split="train").lengths().tolist() == [4, 2]
    assert LeRobotSource(folder=folder, split="val").episode(0).key == "drive 2"
    assert LeRobotSource(folder=folder, split="1:3").lengths().tolist() == [2, 3]
    with pytest.raises(BadData, match=r"or a split of meta/info\.json \(train, val\), got 'test'"):
        len(LeRobotSource(folder=folder, split="test"))


def test_the_fingerprint_follows_split_and_data(folder: Path, tmp_path: Path) -> None:
    whole, part = LeRobotSource(folder=folder), LeRobotSource(folder=folder, split="0:2")
    assert whole.fingerprint() == LeRobotSource(folder=folder).fingerprint()
    assert whole.fingerprint() != part.fingerprint()


def test_files_that_others_wrote_in_other_row_groups_read_the_same(folder: Path) -> None:
    path = folder / "data/chunk-000/file-000.parquet"
    want = LeRobotSource(folder=folder).episode(1)
    pq.write_table(pq.read_table(path), path, row_group_size=5)
    got = LeRobotSource(folder=folder).episode(1)
    assert np.array_equal(got.action["pedals"], want.action["pedals"])
    assert list(got.observation["front"]) == list(want.observation["front"])


def test_times_come_from_the_rate_where_none_are_stored(folder: Path) -> None:
    path = folder / "data/chunk-000/file-000.parquet"
    pq.write_table(pq.read_table(path).drop_columns(["octoverse.time_ns"]), path)
    assert LeRobotSource(folder=folder).episode(0).times_ns.tolist() == [
        0,
        50_000_000,
        100_000_000,
        150_000_000,
    ]


def test_a_foreign_recording_is_read_by_a_mapping_file(folder: Path, tmp_path: Path) -> None:
    mapping = tmp_path / "mapping.json"
    (folder / "meta/octoverse.json").rename(mapping)
    with pytest.raises(BadData, match=r"found no meta/octoverse\.json, .*give it as `mapping`"):
        LeRobotSource(folder=folder).episode(0)
    assert len(LeRobotSource(folder=folder, mapping=mapping).episode(0)) == 4


def test_a_mapping_to_a_missing_feature_is_named(folder: Path) -> None:
    path = folder / "meta/octoverse.json"
    path.write_text(path.read_text().replace('"feature":"action"', '"feature":"actoin"'))
    with pytest.raises(BadData, match=r"names the feature 'actoin', which meta/info\.json lacks"):
        LeRobotSource(folder=folder).episode(0)


def test_a_recording_of_a_body_that_changed_is_refused(folder: Path) -> None:
    path = folder / "meta/octoverse.json"
    path.write_text(path.read_text().replace('"control_hz":20.0', '"control_hz":30.0'))
    with pytest.raises(BadData, match=r"control_hz: 20\.0 here, 30\.0 there"):
        LeRobotSource(folder=folder).episode(0)


def test_folders_that_are_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadData, match=r"expected a LeRobot data set, found no meta/info\.json"):
        len(LeRobotSource(folder=tmp_path))
    (tmp_path / "meta").mkdir()
    (tmp_path / "meta/info.json").write_text('{"codebase_version": "v1.6"}')
    with pytest.raises(BadData, match=r"codebase_version v2\.0, v2\.1 or v3\.0, got v1\.6"):
        len(LeRobotSource(folder=tmp_path))
    (tmp_path / "meta/info.json").write_text('{"codebase_version": "v3.0"')
    with pytest.raises(BadData, match=r"info\.json: expected LeRobot metadata, got"):
        len(LeRobotSource(folder=tmp_path))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda p: p.write_bytes(p.read_bytes()[:-200]), r"file-000\.parquet: expected a parquet"),
        (lambda p: p.unlink(), r"file-000\.parquet: expected a parquet file, got"),
        (
            lambda p: pq.write_table(pq.read_table(p).slice(0, 6), p),
            r"episode 2: expected 3 rows, got 0",
        ),
        (
            lambda p: pq.write_table(pq.read_table(p).drop_columns(["action"]), p),
            r"found no column 'action'",
        ),
    ],
)
def test_a_damaged_data_file_is_named(
    folder: Path, spoil: Callable[[Path], None], words: str
) -> None:
    spoil(folder / "data/chunk-000/file-000.parquet")
    with pytest.raises(BadData, match=words):
        LeRobotSource(folder=folder).episode(2)


def test_missing_episodes_are_counted(folder: Path) -> None:
    change(folder / "meta/info.json", total_episodes=5)
    with pytest.raises(BadData, match=r"expected 5 episodes \(meta/info\.json\), got 3"):
        len(LeRobotSource(folder=folder))


def test_a_damaged_episode_table_is_named(folder: Path) -> None:
    (folder / "meta/episodes/chunk-000/file-000.parquet").write_bytes(b"PAR1")
    with pytest.raises(BadData, match=r"file-000\.parquet: expected a parquet file, got"):
        len(LeRobotSource(folder=folder))


def test_tasks_of_any_order_and_index_name_are_read(folder: Path) -> None:
    table = pa.table({"task": ["b", "a"], "task_index": [1, 0]})
    pq.write_table(table, folder / "meta/tasks.parquet")
    assert LeRobotSource(folder=folder).tasks == {0: "a", 1: "b"}


def test_the_description_round_trips(folder: Path) -> None:
    source = LeRobotSource(folder=folder)
    raw = (folder / "meta/octoverse.json").read_bytes()
    assert msgspec.json.decode(raw)["body"]["name"] == "rc_car"
    assert source.description.action["pedals"].stop == 2
