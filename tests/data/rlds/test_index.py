import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from octoverse.data.rlds import index, tfrecord
from octoverse.data.rlds.source import RldsSource
from octoverse.errors import BadData

Write = Callable[..., Path]
SPEC = {"steps/action": ("float32", (7,)), "steps/is_first": ("bool", ())}


@pytest.fixture
def files(
    tmp_path: Path, write_tfds: Write, tfds_episode: Callable[..., dict[str, Any]]
) -> list[str]:
    episodes = [tfds_episode(SPEC, steps) for steps in (3, 5, 2, 200)]
    write_tfds(tmp_path / "data", SPEC, episodes, shards=2)
    return sorted(str(path) for path in (tmp_path / "data").glob("*.tfrecord-*"))


def counting(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that are read from now on."""
    read: list[str] = []
    plain = tfrecord.records

    def records(path: str) -> Iterator[bytes]:
        read.append(path)
        return plain(path)

    monkeypatch.setattr(tfrecord, "records", records)
    return read


def test_one_pass_finds_places_and_steps(files: list[str]) -> None:
    found = index.shards(files, "m")
    assert [shard.steps for shard in found] == [[3, 5], [2, 200]]
    content = Path(files[1]).read_bytes()
    start = found[1].offsets[1]
    record = memoryview(content)[start : start + 16 + found[1].sizes[1]]
    assert len(tfrecord.content_of(record, files[1], start)) == found[1].sizes[1]
    assert start + len(record) == len(content) == found[1].size


def test_what_was_found_is_kept(
    files: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = counting(monkeypatch)
    first = index.shards(files[:1], "m", tmp_path / "cache")
    both = index.shards(files, "m", tmp_path / "cache")
    assert sorted(read) == files and both[0] == first[0]
    assert index.shards(files, "m", tmp_path / "cache") == both and len(read) == 2
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".json"]


def test_without_a_folder_nothing_is_written(files: list[str], tmp_path: Path) -> None:
    index.shards(files, "m")
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


@pytest.mark.parametrize("change", ["time", "size", "metadata", "version", "torn"])
def test_what_was_kept_is_found_anew_when_something_changes(
    files: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    cache = tmp_path / "cache"
    index.shards(files, "m", cache)
    (kept,) = cache.iterdir()
    read, metadata = counting(monkeypatch), "m"
    path = Path(files[0])
    if change == "time":
        path.touch()
    elif change == "size":
        path.write_bytes(path.read_bytes() * 2)
    elif change == "metadata":
        metadata = "n"
    elif change == "version":
        kept.write_text(json.dumps(json.loads(kept.read_text()) | {"version": 0}))
    else:
        kept.write_text(kept.read_text()[:-9])
    found = index.shards(files, metadata, cache)
    assert sorted(read) == (files[:1] if change in ("time", "size") else files)
    assert len(found[0].steps) == (4 if change == "size" else 2)
    read.clear()
    assert index.shards(files, metadata, cache) == found and not read


def test_every_checksum_is_compared_in_the_pass(files: list[str]) -> None:
    path = Path(files[1])
    spoilt = bytearray(path.read_bytes())
    spoilt[-30] ^= 4
    path.write_bytes(spoilt)
    with pytest.raises(BadData, match=r"00001-of-00002, record at byte \d+: .*fails its checksum"):
        index.shards(files, "m")


def test_records_of_another_kind_are_refused(
    tmp_path: Path, write_records: Callable[[Path, list[bytes]], str], serialise: Any
) -> None:
    path = write_records(tmp_path / "file", [serialise({"a": np.zeros(2), "b": [1]})])
    words = r"file, record at byte 0: expected an RLDS episode with steps/is_first, got .* a, b"
    with pytest.raises(BadData, match=words):
        index.shards([path], "m")
    path = write_records(tmp_path / "file", [b"\x0b"])
    with pytest.raises(BadData, match=r"file, record at byte 0: Expected a tf\.train\.Example"):
        index.shards([path], "m")


def test_a_source_keeps_its_index_where_it_is_told(
    tmp_path: Path, write_rlds: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_rlds(tmp_path / "data")
    read = counting(monkeypatch)
    for split in ("train", "train[1:]"):
        source = RldsSource(folder=folder, split=split, cache=tmp_path / "cache")
        assert source.lengths().tolist() == [3, 5][-len(source) :]
    assert len(read) == 1
