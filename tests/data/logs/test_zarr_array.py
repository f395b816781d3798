import json
from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
import pytest

from octoverse.data.logs.zarr_array import ZarrArray
from octoverse.errors import BadData

VALUES = np.zeros(25, [("place", "<f8", (2,)), ("name", "<U4"), ("time", "<i8")])
VALUES["place"] = np.arange(50).reshape(25, 2)
VALUES["name"], VALUES["time"] = "abc", np.arange(25)


def write(folder: Path, values: np.ndarray, rows: int = 10, **changed: Any) -> ZarrArray:
    codec = numcodecs.Blosc(cname="lz4", clevel=5, shuffle=1)
    folder.mkdir(exist_ok=True)
    for i, start in enumerate(range(0, len(values), rows)):
        chunk = np.zeros(rows, values.dtype)
        chunk[: len(values) - start] = values[start : start + rows]
        (folder / str(i)).write_bytes(codec.encode(chunk.tobytes()))
    assert values.dtype.names is not None
    fields = [(name, *values.dtype.fields[name][:1]) for name in values.dtype.names]  # type: ignore[index]
    told = {
        "zarr_format": 2,
        "shape": [len(values)],
        "chunks": [rows],
        "dtype": [
            [name, kind.base.str, *([list(kind.shape)] if kind.shape else [])]
            for name, kind in fields
        ],
        "compressor": codec.get_config(),
        "fill_value": None,
        "order": "C",
        "filters": None,
    }
    (folder / ".zarray").write_text(json.dumps(told | changed))
    return ZarrArray(folder=folder)


@pytest.mark.parametrize("part", [(0, 25), (0, 0), (9, 11), (10, 20), (24, 25), (25, 25)])
def test_rows_are_read_across_chunks(tmp_path: Path, part: tuple[int, int]) -> None:
    array = write(tmp_path, VALUES)
    assert len(array) == 25
    assert np.array_equal(array.rows(*part), VALUES[slice(*part)])


def test_only_the_chunks_asked_for_are_read(tmp_path: Path) -> None:
    array = write(tmp_path, VALUES)
    (tmp_path / "0").unlink()
    assert array.rows(10, 25)["time"][0] == 10
    with pytest.raises(BadData, match="0: expected a chunk of this array, found none"):
        array.rows(9, 11)


def test_plain_values_without_compression_are_read(tmp_path: Path) -> None:
    array = write(tmp_path, VALUES[["time"]].astype([("time", "<i8")]), rows=25, compressor=None)
    (tmp_path / "0").write_bytes(np.arange(25, dtype="<i8").tobytes())
    assert array.rows(3, 5)["time"].tolist() == [3, 4]


def test_rows_that_do_not_exist_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="expected rows 0 to 25, asked for 20 to 26: another array"):
        write(tmp_path, VALUES).rows(20, 26)


def test_a_torn_chunk_is_named(tmp_path: Path) -> None:
    array = write(tmp_path, VALUES)
    (tmp_path / "1").write_bytes((tmp_path / "1").read_bytes()[:-9])
    with pytest.raises(BadData, match=r"1: expected a chunk of 10 rows, got \d+ bytes that cannot"):
        array.rows(0, 25)
    codec = numcodecs.Blosc()
    (tmp_path / "1").write_bytes(codec.encode(VALUES[:4].tobytes()))
    with pytest.raises(BadData, match=r"1: expected a chunk of 10 rows, got 4\."):
        array.rows(0, 25)


def test_descriptions_that_are_not_one_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadData, match=r"\.zarray: expected a zarr array, found none"):
        len(ZarrArray(folder=tmp_path))
    with pytest.raises(BadData, match=r"expected zarr_format 2, order C, .* got \(3, 'C', None, 1"):
        len(write(tmp_path, VALUES, zarr_format=3))
    with pytest.raises(BadData, match="expected a compressor that numcodecs has, got"):
        write(tmp_path, VALUES, compressor={"id": "shrink"}).rows(0, 1)
    (tmp_path / ".zarray").write_text("{")
    with pytest.raises(
        BadData, match=r"expected the description of a zarr array in JSON, got b'\{'"
    ):
        len(ZarrArray(folder=tmp_path))
