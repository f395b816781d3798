from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import feather, parquet

from octoverse.data.logs.arrow_table import read_columns
from octoverse.errors import BadData

TABLE = pa.table({"time": [1, 2], "name": ["a", None]})


@pytest.mark.parametrize("name", ["log.feather", "log.parquet"])
def test_columns_are_read(tmp_path: Path, name: str) -> None:
    write = feather.write_feather if name.endswith("feather") else parquet.write_table
    write(TABLE, tmp_path / name)
    assert read_columns(tmp_path / name, ["time"])["time"].tolist() == [1, 2]


@pytest.mark.parametrize("name", ["log.feather", "log.parquet"])
def test_a_missing_or_torn_table_is_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with pytest.raises(BadData, match=f"{name}: expected this table, found none"):
        read_columns(path, ["time"])
    path.write_bytes(b"ARROW1")
    kind = name.partition(".")[2]
    with pytest.raises(BadData, match=f"{name}: expected a {kind} table, got 6 bytes that cannot"):
        read_columns(path, ["time"])


def test_a_missing_column_and_a_gap_are_named(tmp_path: Path) -> None:
    feather.write_feather(TABLE, tmp_path / "log.feather")
    with pytest.raises(BadData, match=r"expected a column place, found time, name"):
        read_columns(tmp_path / "log.feather", ["place"])
    with pytest.raises(BadData, match=r"a value in every row of name, got 1 without"):
        read_columns(tmp_path / "log.feather", ["name"])
