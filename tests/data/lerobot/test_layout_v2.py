from pathlib import Path
from types import SimpleNamespace

import pytest

from octoverse.data.lerobot.layout import layout_of
from octoverse.data.lerobot.layout_v2 import LayoutV2
from octoverse.data.lerobot.metadata import Clip, Span, read_info
from octoverse.errors import BadData


@pytest.fixture
def folder(made: SimpleNamespace, tmp_path: Path) -> Path:
    found: Path = made.folders["v2.0"](tmp_path / "set", [2, 3])
    return found


def test_every_episode_has_files_of_its_own(folder: Path) -> None:
    layout = layout_of(folder, read_info(folder))
    assert isinstance(layout, LayoutV2)
    rows = layout.episodes()
    assert [(row.number, row.length) for row in rows] == [(0, 2), (1, 3)]
    data = folder / "data/chunk-000/episode_000001.parquet"
    assert layout.span(rows[1]) == Span(path=data, number=None)
    path = folder / "videos/chunk-000/observation.images.top/episode_000001.mp4"
    assert layout.clip(rows[1], "observation.images.top") == Clip(path=path, start=None)
    assert layout.tasks() == {0: "push", 1: "pull"}


def test_files_in_another_chunk_than_said_are_found(folder: Path) -> None:
    info = folder / "meta/info.json"
    told = '"data_path": "data/chunk-{episode_index:03d}/episode_{episode_index:06d}.parquet", '
    info.write_text(info.read_text().replace("{", "{" + told, 1))
    layout = layout_of(folder, read_info(folder))
    found = layout.span(layout.episodes()[1]).path
    assert found == folder / "data/chunk-000/episode_000001.parquet"


def test_paths_with_unknown_places_are_refused(folder: Path) -> None:
    info = folder / "meta/info.json"
    info.write_text(info.read_text().replace("{", '{"data_path": "data/{episode}.parquet", ', 1))
    layout = layout_of(folder, read_info(folder))
    with pytest.raises(BadData, match=r"places episode_chunk, episode_index, got 'data/\{episode"):
        layout.span(layout.episodes()[1])


def test_missing_metadata_is_named(folder: Path) -> None:
    layout = layout_of(folder, read_info(folder))
    (folder / "meta/tasks.jsonl").unlink()
    with pytest.raises(BadData, match=r"tasks\.jsonl: expected this file, got: No such file"):
        layout.tasks()
    (folder / "meta/episodes.jsonl").write_text('{"episode_index": 0}')
    with pytest.raises(BadData, match=r"episodes\.jsonl: expected LeRobot metadata, got: .*length"):
        layout.episodes()
    (folder / "meta/episodes.jsonl").write_text('{"episode_index": 0, "length": 2}')
    words = r"expected 2 episodes \(meta/info\.json\), got 1 in meta/episodes\.jsonl"
    with pytest.raises(BadData, match=words):
        layout.episodes()
