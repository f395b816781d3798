"""Read one whole zarr array (format 2), as orbax writes one for each parameter.

Source: the Zarr storage specification, version 2; google/orbax, type_handlers.py (zstd, bfloat16 by
its name).
"""

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np

from octoverse.errors import BadData, MissingExtra
from octoverse.interop.flax_msgpack import array


def read(folder: Path) -> np.ndarray:
    """All numbers of one array; bfloat16 becomes float32.

    Raises:
        BadData: if its description or a chunk is missing, damaged or of another kind.
        MissingExtra: if numcodecs is not installed.
    """
    told = _told(folder)
    shape, chunks = tuple(told["shape"]), tuple(told["chunks"])
    found = np.empty(shape, "<f4" if told["dtype"] == "bfloat16" else told["dtype"])
    counts = [range(-(-size // chunk)) for size, chunk in zip(shape, chunks, strict=True)]
    for place in itertools.product(*counts):
        corner = [i * size for i, size in zip(place, chunks, strict=True)]
        sides = [slice(i, i + n) for i, n in zip(corner, chunks, strict=True)]
        where: tuple[Any, ...] = (*sides, ...)  # a view even where there are no sides
        target = found[where]
        target[...] = _chunk(folder, told, place)[tuple(slice(0, n) for n in target.shape)]
    return found


def _chunk(folder: Path, told: dict[str, Any], place: tuple[int, ...]) -> np.ndarray:
    name = told.get("dimension_separator", ".").join(map(str, place)) or "0"
    path, shape = folder / name, tuple(told["chunks"])
    if not path.is_file():
        if told["fill_value"] is not None:
            return np.full(shape, float(told["fill_value"]))
        raise BadData(
            f"{path}: expected a chunk of this parameter, found none. The checkpoint is "
            "incomplete; fetch the folder again."
        )
    stored = path.read_bytes()
    try:
        return array(_unpacked(stored, told["compressor"]), told["dtype"], shape)
    except (RuntimeError, ValueError) as error:
        raise BadData(
            f"{path}: expected a chunk {shape} of {told['dtype']}, got {len(stored)} bytes that "
            f"cannot be unpacked: {error}. Fetch the file again."
        ) from error


def _unpacked(stored: bytes, compressor: dict[str, Any] | None) -> bytes:
    if compressor is None:
        return stored
    try:
        import numcodecs
    except ModuleNotFoundError as error:
        raise MissingExtra("An Octo checkpoint in zarr form", "numcodecs", "octo") from error
    return bytes(numcodecs.get_codec(compressor).decode(stored))


def _told(folder: Path) -> dict[str, Any]:
    path = folder / ".zarray"
    if not path.is_file():
        raise BadData(
            f"{path}: expected the zarr array of this parameter, found none. The checkpoint is "
            "incomplete; fetch the folder again, with files whose names begin with a dot."
        )
    try:
        told: dict[str, Any] = json.loads(path.read_bytes())
        plain = (told["zarr_format"], told["order"], told["filters"])
        fits = len(told["shape"]) == len(told["chunks"])
        told["fill_value"], told["compressor"], np.dtype(told["dtype"].replace("bfloat16", "<f4"))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadData(
            f"{path}: expected the description of a zarr array in JSON, got "
            f"{path.read_bytes()[:60]!r}: {error!r}. Fetch the file again."
        ) from error
    if plain != (2, "C", None) or not fits:
        raise BadData(
            f"{path}: expected zarr_format 2, order C and no filters, got {plain}. "
            "Only arrays as orbax writes them are read."
        )
    return told
