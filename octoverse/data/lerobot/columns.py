"""Columns of an episode out of parquet files: numbers at once, images when they are indexed."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from octoverse.data.kept import SOURCES, File, Kept, file_key, single
from octoverse.data.lerobot.metadata import Span, unreadable
from octoverse.data.source import Images
from octoverse.errors import BadData

OPEN_FILES = 32
"""Parquet files kept open, per process."""


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Rows [start, stop) of one data file."""

    path: Path
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start

    @property
    def names(self) -> Sequence[str]:
        """The file's columns."""
        return _file(self.path).names

    def read(self, columns: Sequence[str]) -> pa.Table:
        """These rows of some columns.

        Raises:
            BadData: if the file is damaged.
        """
        file = _file(self.path)
        low, high = np.searchsorted(file.ends, [self.start, self.stop - 1], side="right").tolist()
        begin = self.start - (int(file.ends[low - 1]) if low else 0)
        try:
            table = file.parquet.read_row_groups(list(range(low, high + 1)), columns=list(columns))
        except (OSError, pa.ArrowException) as error:
            raise unreadable(self.path, error) from error
        return table.slice(begin, len(self)).combine_chunks()

    def images(self, column: str) -> "ParquetImages":
        """An image column, read when its first image is indexed."""
        return ParquetImages(self, column)


def rows_of(span: Span) -> Rows:
    """The rows of an episode; none where the file does not have it.

    Raises:
        BadData: if the file is missing or damaged.
    """
    file = _file(span.path)
    if span.number is None:
        return Rows(path=span.path, start=0, stop=int(file.ends[-1]) if len(file.ends) else 0)
    start, stop = file.spans.get(span.number, (0, 0))
    return Rows(path=span.path, start=start, stop=stop)


class ParquetImages(Images):
    """Encoded images of one episode.

    Args:
        rows: Where they lie.
        column: The column of them.
    """

    def __init__(self, rows: Rows, column: str) -> None:
        self._rows, self._column = rows, column
        super().__init__(len(rows), self._image)

    def __reduce__(self) -> tuple[Any, ...]:
        return ParquetImages, (self._rows, self._column)

    def _image(self, index: int) -> bytes:
        found = _image_column(self._rows, self._column)[index].as_py()
        if not found:
            raise BadData(
                f"{self._rows.path}, row {self._rows.start + index}: expected an encoded image in "
                f"'{self._column}', got none. Fetch the file again."
            )
        return found


class _Open:
    """One open data file."""

    def __init__(self, file: File) -> None:
        path = file[0]
        try:
            self.parquet = pq.ParquetFile(path, memory_map=False)
            self.names = tuple(self.parquet.schema_arrow.names)
            meta = self.parquet.metadata
            self.ends = np.cumsum([meta.row_group(i).num_rows for i in range(meta.num_row_groups)])
            numbers = None
            if "episode_index" in self.names:
                numbers = self.parquet.read(columns=["episode_index"])[0].to_numpy()
        except (OSError, pa.ArrowException) as error:
            raise unreadable(path, error) from error
        self.spans = {} if numbers is None else spans_of(numbers, path)


def spans_of(numbers: np.ndarray, path: Path) -> dict[int, tuple[int, int]]:
    """Rows [start, stop) of every episode.

    Args:
        numbers: The episode_index of every row.
        path: Named in errors.

    Raises:
        BadData: if an episode's rows lie in several places.
    """
    edges = np.flatnonzero(np.diff(numbers, prepend=numbers[:1] - 1, append=numbers[-1:] - 1))
    found = {int(numbers[start]): (start, stop) for start, stop in pairwise(edges.tolist())}
    if len(found) < len(edges) - 1:
        raise BadData(
            f"{path}: expected every episode's rows side by side, got some episode_index in "
            "several places. Sort the file by episode_index and frame_index."
        )
    return found


def _file(path: Path) -> "_Open":
    try:
        file = file_key(path)
        return _FILES.get(file, lambda: _Open(file), single)
    except OSError as error:
        raise unreadable(path, error.strerror) from error


def _image_column(rows: Rows, name: str) -> pa.Array:
    return SOURCES.get(
        ("image column", file_key(rows.path), rows, name),
        lambda: _read_images(rows, name),
        lambda column: int(column.nbytes),
    )


def _read_images(rows: Rows, name: str) -> pa.Array:
    column = rows.read([name])[name].combine_chunks()
    if not pa.types.is_struct(column.type) or column.type.get_field_index("bytes") < 0:
        raise BadData(
            f"{rows.path}, '{name}': expected encoded images (a struct with bytes), got "
            f"{column.type}. Fetch the file again."
        )
    # A copy: a view would keep a whole row group in memory, which may hold many episodes.
    return column.field("bytes").take(pa.array(range(len(rows))))


_FILES = Kept(OPEN_FILES)
