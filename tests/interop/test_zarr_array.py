import json
import sys
from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
import pytest

from octoverse.errors import BadData, MissingExtra
from octoverse.interop import zarr_array


def write(
    folder: Path, values: np.ndarray, chunks: tuple[int, ...] | None = None, **told: Any
) -> Path:
    """One array as orbax lays it out."""
    folder.mkdir(parents=True, exist_ok=True)
    chunks = chunks or tuple(max(1, n) for n in values.shape)
    compressor = told.get("compressor", {"id": "zstd", "level": 1})
    meta = {
        "chunks": chunks,
        "compressor": compressor,
        "dimension_separator": ".",
        "dtype": values.dtype.str,
        "fill_value": None,
        "filters": None,
        "order": "C",
        "shape": values.shape,
        "zarr_format": 2,
        **told,
    }
    (folder / ".zarray").write_text(json.dumps(meta))
    counts = [-(-n // size) for n, size in zip(values.shape, chunks, strict=True)]
    for place in np.ndindex(*counts):
        block = np.zeros(chunks, values.dtype)
        sides = (slice(i * n, i * n + n) for i, n in zip(place, chunks, strict=True))
        where: Any = (*sides, ...)
        part = values[where]
        block[tuple(slice(0, n) for n in part.shape)] = part
        raw = block.tobytes()
        stored = raw if compressor is None else numcodecs.get_codec(compressor).encode(raw)
        name = meta["dimension_separator"].join(map(str, place)) or "0"
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(bytes(stored))
    return folder


@pytest.mark.parametrize(
    "compressor", [None, {"id": "zstd", "level": 1}, {"id": "blosc"}, {"id": "gzip"}]
)
def test_an_array_in_chunks_comes_back_whole(
    tmp_path: Path, compressor: dict[str, Any] | None
) -> None:
    values = np.arange(5 * 7, dtype=np.float32).reshape(5, 7)
    for chunks in ((5, 7), (2, 3), (5, 1)):
        folder = write(tmp_path / str(chunks), values, chunks, compressor=compressor)
        assert np.array_equal(zarr_array.read(folder), values)


def test_single_numbers_empty_arrays_and_nested_chunks_are_read(tmp_path: Path) -> None:
    for number, values in enumerate((np.array(3.0, "<f4"), np.zeros((0, 3), "<f4"))):
        got = zarr_array.read(write(tmp_path / str(number), values))
        assert got.shape == values.shape and np.array_equal(got, values)
    values = np.arange(6, dtype=np.int32).reshape(2, 3)
    folder = write(tmp_path / "nested", values, (1, 3), dimension_separator="/")
    assert np.array_equal(zarr_array.read(folder), values)


def test_bfloat16_becomes_float32(tmp_path: Path) -> None:
    numbers = np.array([[1.0, -2.5], [0.0, 4.0]], np.float32)
    halves = (numbers.view(np.uint32) >> 16).astype(np.uint16)
    got = zarr_array.read(write(tmp_path / "a", halves, dtype="bfloat16"))
    assert got.dtype == np.float32 and np.array_equal(got, numbers)


def test_a_chunk_that_is_missing_is_the_fill_value_or_an_error(tmp_path: Path) -> None:
    values = np.ones((2, 2), np.float32)
    folder = write(tmp_path / "a", values, (1, 2), fill_value=0.5)
    (folder / "1.0").unlink()
    assert zarr_array.read(folder).tolist() == [[1.0, 1.0], [0.5, 0.5]]
    folder = write(tmp_path / "b", values, (1, 2))
    (folder / "1.0").unlink()
    with pytest.raises(BadData, match=r"b/1\.0: expected a chunk of this parameter, found none"):
        zarr_array.read(folder)


def test_a_damaged_chunk_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "a", np.ones((2, 2), np.float32))
    (folder / "0.0").write_bytes(b"no zstd")
    with pytest.raises(BadData, match=r"0\.0: expected a chunk \(2, 2\) of <f4, got 7 bytes"):
        zarr_array.read(folder)
    folder = write(tmp_path / "b", np.ones((2, 2), np.float32), compressor=None)
    (folder / "0.0").write_bytes(b"short")
    with pytest.raises(BadData, match="got 5 bytes that cannot be unpacked"):
        zarr_array.read(folder)


def test_a_missing_or_unknown_description_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(BadData, match=r"a/\.zarray: expected the zarr array .* begin with a dot"):
        zarr_array.read(tmp_path / "a")
    (tmp_path / "a/.zarray").write_text('{"shape": [1]}')
    with pytest.raises(
        BadData, match=r"\.zarray: expected the description of a zarr array in JSON"
    ):
        zarr_array.read(tmp_path / "a")
    folder = write(tmp_path / "b", np.ones(2, np.float32), order="F")
    with pytest.raises(BadData, match="expected zarr_format 2, order C and no filters, got"):
        zarr_array.read(folder)


def test_a_missing_package_is_named_with_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write(tmp_path / "a", np.ones(2, np.float32))
    monkeypatch.setitem(sys.modules, "numcodecs", None)
    with pytest.raises(MissingExtra, match=r"zarr form needs .* 'numcodecs'.*octoverse\[octo\]"):
        zarr_array.read(folder)
