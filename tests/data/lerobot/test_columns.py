import pickle
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from octoverse.data.lerobot.columns import rows_of
from octoverse.data.lerobot.metadata import Span
from octoverse.errors import BadData


@pytest.fixture
def path(tmp_path: Path) -> Path:
    images = [{"bytes": bytes([i]) * 3, "path": None} for i in range(9)]
    table = pa.table({"episode_index": [4] * 2 + [5] * 4 + [9] * 3, "x": range(9), "top": images})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=2)
    return tmp_path / "a.parquet"


def test_rows_are_found_by_episode_index_across_row_groups(path: Path) -> None:
    rows = rows_of(Span(path=path, number=5))
    assert (rows.start, rows.stop, len(rows)) == (2, 6, 4)
    assert rows.read(["x"])["x"].to_pylist() == [2, 3, 4, 5]
    assert rows_of(Span(path=path, number=9)).read(["x"])["x"].to_pylist() == [6, 7, 8]
    assert len(rows_of(Span(path=path, number=None))) == 9
    assert len(rows_of(Span(path=path, number=6))) == 0


def test_images_are_read_when_they_are_indexed(path: Path) -> None:
    images = rows_of(Span(path=path, number=5)).images("top")
    assert (len(images), images[1], images[-1]) == (4, b"\3\3\3", b"\5\5\5")
    assert list(pickle.loads(pickle.dumps(images))) == list(images)


def test_columns_that_hold_no_images_are_named(path: Path) -> None:
    images = rows_of(Span(path=path, number=5)).images("x")
    with pytest.raises(BadData, match=r"a\.parquet, 'x': expected encoded images .*, got int64"):
        images[0]
    pq.write_table(pa.table({"top": [{"bytes": None, "path": "gone.png"}]}), path)
    with pytest.raises(BadData, match=r"row 0: expected an encoded image in 'top', got none"):
        rows_of(Span(path=path, number=None)).images("top")[0]


def test_rows_of_one_episode_in_two_places_are_refused(path: Path) -> None:
    pq.write_table(pa.table({"episode_index": [1, 2, 1]}), path)
    with pytest.raises(BadData, match="rows side by side, got some episode_index in several"):
        rows_of(Span(path=path, number=1))
