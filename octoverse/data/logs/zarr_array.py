"""Rows of a zarr array (format 2) with structured values, a chunk at a time.

The zarr library reads such arrays up to version 2 only, which needs a numcodecs that is no longer
kept; version 3 refuses fields that are arrays themselves. One dimension is all that driving logs
need.

Source: the Zarr storage specification, version 2.
"""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numcodecs
import numpy as np

from octoverse.errors import BadData


@dataclass(frozen=True, kw_only=True)
class ZarrArray:
    """One array of one dimension."""

    folder: Path
    """Holds .zarray and a file for each chunk."""

    def __len__(self) -> int:
        return int(self._told["shape"][0])

    def rows(self, start: int, stop: int) -> np.ndarray:
        """Values [start, stop); only their chunks are read.

        Raises:
            BadData: if a chunk is missing or damaged, or there are fewer rows.
        """
        if not 0 <= start <= stop <= len(self):
            raise BadData(
                f"{self.folder}: expected rows 0 to {len(self)}, asked for {start} to {stop}: "
                "another array of this log refers to them. Fetch the log again."
            )
        size = int(self._told["chunks"][0])
        first = start // size
        parts = [self._chunk(i) for i in range(first, -(-stop // size))]
        if not parts:
            return np.empty(0, self._dtype)
        return np.concatenate(parts)[start - first * size : stop - first * size]

    def _chunk(self, index: int) -> np.ndarray:
        path, size = self.folder / str(index), int(self._told["chunks"][0])
        if not path.exists():
            raise BadData(f"{path}: expected a chunk of this array, found none. Fetch it.")
        stored = path.read_bytes()
        try:
            plain = stored if self._codec is None else self._codec.decode(stored)
            found = np.frombuffer(plain, self._dtype)
        except (RuntimeError, ValueError) as error:
            raise BadData(
                f"{path}: expected a chunk of {size} rows, got {len(stored)} bytes that cannot be "
                f"unpacked: {error}. Fetch the file again."
            ) from error
        if len(found) != size:
            raise BadData(
                f"{path}: expected a chunk of {size} rows, got {len(found)}. Fetch it again."
            )
        return found

    @cached_property
    def _told(self) -> dict[str, Any]:
        path = self.folder / ".zarray"
        if not path.exists():
            raise BadData(f"{path}: expected a zarr array, found none. Fetch the log again.")
        try:
            told: dict[str, Any] = json.loads(path.read_bytes())
            plain = (told["zarr_format"], told["order"], told["filters"], len(told["shape"]))
            told["chunks"][0]
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise BadData(
                f"{path}: expected the description of a zarr array in JSON, got "
                f"{path.read_bytes()[:60]!r}: {error!r}. Fetch the file again."
            ) from error
        if plain != (2, "C", None, 1):
            raise BadData(
                f"{path}: expected zarr_format 2, order C, no filters and 1 dimension, got "
                f"{plain}. Only arrays as Lyft Level 5 stores them are read."
            )
        return told

    @cached_property
    def _dtype(self) -> np.dtype:
        told = self._told["dtype"]
        if isinstance(told, str):
            return np.dtype(told)
        return np.dtype([(n, kind, *(tuple(shape) for shape in more)) for n, kind, *more in told])

    @cached_property
    def _codec(self) -> Any:
        told = self._told["compressor"]
        try:
            return told and numcodecs.get_codec(told)
        except ValueError as error:
            raise BadData(
                f"{self.folder}: expected a compressor that numcodecs has, got {told}: {error}."
            ) from error
