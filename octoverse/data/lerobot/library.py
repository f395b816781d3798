"""Read LeRobot data sets through the lerobot library itself, where it is installed.

It gives the same numbers as our own reader and nearly the same images (it decodes by another
library), several times slower; it is here for those who need what only the library does, and as
the judge of ours.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from octoverse import registry
from octoverse.data.lerobot.columns import spans_of
from octoverse.data.lerobot.metadata import Row
from octoverse.data.lerobot.reading import Reading
from octoverse.data.lerobot.source import LeRobotSource
from octoverse.data.source import Images
from octoverse.errors import BadData


@dataclass(frozen=True, kw_only=True)
class LibrarySource(LeRobotSource):
    """A LeRobot v3.0 folder as LeRobotDataset reads it, in the conventions of a body."""

    @cached_property
    def _reading(self) -> Reading:
        own = super()._reading
        settings = {name: getattr(own, name) for name in own.__dataclass_fields__}
        return _LibraryReading(**settings, library=_Library(Path(self.folder)))


@dataclass(frozen=True, kw_only=True)
class _LibraryRows:
    path: Path
    table: pa.Table

    def __len__(self) -> int:
        return len(self.table)

    @property
    def names(self) -> Sequence[str]:
        return self.table.column_names

    def read(self, columns: Sequence[str]) -> pa.Table:
        return self.table.select(columns).combine_chunks()


class _Library:
    """One folder, opened by the library."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            from lerobot.datasets.lerobot_dataset import LeRobotDataset
        except ModuleNotFoundError as error:
            missing = registry.missing_extra("Reading by the lerobot library", error)
            raise missing or error from error
        try:
            self.dataset: Any = LeRobotDataset(f"local/{folder.name}", root=folder)
        except Exception as error:  # it raises what its own libraries raise
            raise BadData(
                f"{folder}: expected what the lerobot library reads, got {type(error).__name__}: "
                f"{error}. Read it with LeRobotSource, which reads v2.0 to v3.0."
            ) from error
        self.table: pa.Table = self.dataset.hf_dataset.data.table
        self.spans = spans_of(self.table["episode_index"].to_numpy(), folder)

    def image(self, index: int, feature: str) -> np.ndarray:
        """One image by the row of the whole data set, uint8 (h, w, 3)."""
        shown = self.dataset[index][feature].numpy()  # (3, h, w), from 0 to 1
        return np.ascontiguousarray(np.round(shown * 255).astype(np.uint8).transpose(1, 2, 0))


@dataclass(frozen=True, kw_only=True)
class _LibraryReading(Reading):
    library: _Library

    def rows(self, row: Row) -> Any:
        start, stop = self.library.spans.get(row.number, (0, 0))
        part = self.library.table.slice(start, stop - start)
        return _LibraryRows(path=self.library.folder, table=part)

    def image_source(self, row: Row, feature: str, camera: str) -> Images:
        start = self.library.spans.get(row.number, (0, 0))[0]
        return Images(row.length, partial(_image, self.library, start, feature))


def _image(library: _Library, start: int, feature: str, step: int) -> np.ndarray:
    return library.image(start + step, feature)
