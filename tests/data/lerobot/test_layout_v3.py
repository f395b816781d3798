from pathlib import Path
from types import SimpleNamespace

import pyarrow.parquet as pq
import pytest

from octoverse.data.lerobot.layout import layout_of
from octoverse.data.lerobot.layout_v3 import LayoutV3
from octoverse.data.lerobot.metadata import Clip, Span, read_info
from octoverse.errors import BadData

EPISODES = "meta/episodes/chunk-000/file-000.parquet"


@pytest.fixture
def folder(made: SimpleNamespace, tmp_path: Path) -> Path:
    found: Path = made.folders["v3.0"](tmp_path / "set", [2, 3])
    return found


def drop(path: Path, column: str) -> None:
    pq.write_table(pq.ParquetFile(path).read().drop_columns([column]), path)


def test_episodes_share_files(folder: Path) -> None:
    layout = layout_of(folder, read_info(folder))
    assert isinstance(layout, LayoutV3)
    rows = layout.episodes()
    assert [(row.number, row.length) for row in rows] == [(0, 2), (1, 3)]
    assert layout.span(rows[1]) == Span(path=folder / "data/chunk-000/file-000.parquet", number=1)
    path = folder / "videos/observation.images.top/chunk-000/file-000.mp4"
    assert layout.clip(rows[1], "observation.images.top") == Clip(path=path, start=0.2)
    assert layout.tasks() == {0: "push", 1: "pull"}


def test_a_table_without_what_is_needed_is_named(folder: Path) -> None:
    drop(folder / EPISODES, "videos/observation.images.top/from_timestamp")
    layout = layout_of(folder, read_info(folder))
    rows = layout.episodes()
    words = r"episode 1: expected the column 'videos/observation\.images\.top/from_timestamp', fou"
    with pytest.raises(BadData, match=words):
        layout.clip(rows[1], "observation.images.top")
    drop(folder / EPISODES, "data/file_index")
    with pytest.raises(BadData, match="expected the column 'data/file_index', found none"):
        layout.span(layout.episodes()[0])
    drop(folder / EPISODES, "length")
    with pytest.raises(BadData, match=r"file-000\.parquet: .* episode_index and length, got "):
        layout.episodes()


def test_a_table_of_tasks_without_words_is_named(folder: Path) -> None:
    drop(folder / "meta/tasks.parquet", "__index_level_0__")
    layout = layout_of(folder, read_info(folder))
    with pytest.raises(BadData, match=r"tasks\.parquet: expected the tasks and their task_index"):
        layout.tasks()
