"""Read LeRobot v3.0 data sets: many episodes per parquet file, images in it as PNG or JPEG."""

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from octoverse import registry
from octoverse.data.lerobot import format as form
from octoverse.data.source import check_index
from octoverse.embodiment import Embodiment, differences
from octoverse.episode import Episode
from octoverse.errors import BadData

_OPEN_FILES = 8
"""Parquet files kept open at a time."""


@dataclass(frozen=True, kw_only=True)
class LeRobotSource:
    """A LeRobot v3.0 folder whose meta/octoverse.json says what its features mean."""

    folder: Path
    label: str = ""
    """How mixtures call it; the folder's name unless given."""
    split: str = ""
    """A split of meta/info.json, or a range of episodes such as 0:900; everything unless given."""
    mapping: Path | None = None
    """A file like meta/octoverse.json for a recording that has none."""

    @property
    def name(self) -> str:
        """How mixtures and reports call it."""
        return self.label or Path(self.folder).name

    @property
    def embodiment(self) -> str:
        """Name of the body that it was recorded with."""
        return self.description.body.name

    def __len__(self) -> int:
        return len(self._chosen)

    def lengths(self) -> np.ndarray:
        """Steps of every episode, int64 (episodes,)."""
        return np.array([row["length"] for row in self._chosen], np.int64)

    def fingerprint(self) -> str:
        """Hash of the metadata, the split and the mapping."""
        return self._fingerprint

    @cached_property
    def info(self) -> form.Info:
        """meta/info.json."""
        path = Path(self.folder) / form.INFO
        if not path.exists():
            raise BadData(
                f"{self.folder}: expected a LeRobot data set, found no {form.INFO}. "
                "Give the folder that holds data/ and meta/."
            )
        version = _json(path, dict[str, Any]).get("codebase_version")
        if version != form.VERSION:
            raise BadData(
                f"{path}: expected codebase_version {form.VERSION}, got {version}. Convert it with "
                "LeRobot: python -m lerobot.scripts.convert_dataset_v21_to_v30."
            )
        info: form.Info = _json(path, form.Info)
        videos = [key for key, feature in info.features.items() if feature.dtype == "video"]
        if videos:
            raise BadData(
                f"{self.folder}: expected images in parquet, got videos ({', '.join(videos)}), "
                "which this reader does not decode yet. Record or convert with images."
            )
        return info

    @cached_property
    def description(self) -> form.Description:
        """What its features mean for the body, checked against the body as it is today."""
        path = self.mapping or Path(self.folder) / form.DESCRIPTION
        if not path.exists():
            raise BadData(
                f"{self.folder}: found no {form.DESCRIPTION}, which says what the features mean. "
                "Write one (body, observation, action) and give it as `mapping`."
            )
        found: form.Description = _json(path, form.Description)
        body: Embodiment = registry.load("embodiment", found.body.name)
        wrong = differences(body, found.body)
        if wrong:
            raise BadData(
                f"{self.folder}: expected '{body.name}' as it is installed (here), got a recording "
                f"of another one (there): {'; '.join(wrong)}. Record again, or install the body "
                "that it was recorded with."
            )
        for part in (*found.observation.values(), *found.action.values()):
            if part.feature != "task" and part.feature not in self.info.features:
                raise BadData(
                    f"{path}: names the feature '{part.feature}', which {form.INFO} lacks. "
                    f"It has: {', '.join(self.info.features)}."
                )
        return found

    @cached_property
    def tasks(self) -> Sequence[str]:
        """Instructions by task_index."""
        table = _table(Path(self.folder) / form.TASKS)
        labels = [name for name in table.column_names if name != "task_index"]
        pairs = zip(table["task_index"].to_pylist(), table[labels[0]].to_pylist(), strict=True)
        return tuple(task for _, task in sorted(pairs))

    def rows(self, with_stats: bool = False) -> list[dict[str, Any]]:
        """The episodes that count, in order, as the episodes' table tells them."""
        found: list[dict[str, Any]] = []
        paths = sorted((Path(self.folder) / "meta" / "episodes").glob("chunk-*/file-*.parquet"))
        for path in paths:
            table = _table(path)
            kept = [c for c in table.column_names if with_stats or not c.startswith("stats/")]
            found += table.select(kept).to_pylist()
        # A recording that was killed may leave episodes that info.json does not count yet.
        found = sorted(found, key=lambda row: row["episode_index"])[: self.info.total_episodes]
        if len(found) < self.info.total_episodes:
            raise BadData(
                f"{self.folder}: expected {self.info.total_episodes} episodes ({form.INFO}), got "
                f"{len(found)} in meta/episodes. Fetch the missing files again."
            )
        return found

    def episode(self, index: int) -> Episode:
        """Read one episode; its images stay encoded.

        Raises:
            BadData: if its file is missing or damaged.
        """
        check_index(self, index)
        row, description = self._chosen[index], self.description
        table = self._read(row)
        count = len(table)
        if count != row["length"]:
            raise BadData(
                f"{self._file(row)}, episode {row['episode_index']}: expected {row['length']} "
                f"rows, got {count}. Fetch the file again."
            )
        task = table["task_index"].to_numpy() if "task_index" in table.column_names else None
        observation: dict[str, Any] = {}
        observation_valid = self._masks(table, description.observation_valid)
        for name, part in description.observation.items():
            if part.feature == "task":
                assert task is not None
                words = [self.tasks[int(i)] for i in task]
                observation[name] = words
                said = np.array([bool(word) for word in words])
                if not said.all():
                    observation_valid[name] = said & observation_valid.get(name, True)
            else:
                observation[name] = self._values(table, part)
        if form.TIME in table.column_names:
            times = table[form.TIME].to_numpy()
        else:
            times = np.round(np.arange(count) / self.info.fps * 1e9).astype(np.int64)
        return Episode(
            embodiment=self.embodiment,
            source=self.name,
            key=row.get(form.KEY) or str(row["episode_index"]),
            times_ns=times,
            observation=observation,
            action={name: self._values(table, part) for name, part in description.action.items()},
            observation_valid=observation_valid,
            action_valid=self._masks(table, description.action_valid),
        )

    @cached_property
    def _all(self) -> list[dict[str, Any]]:
        return self.rows()

    @cached_property
    def _chosen(self) -> list[dict[str, Any]]:
        rows = self._all
        if not self.split:
            return rows
        known = self.info.splits
        start, colon, stop = known.get(self.split, self.split).partition(":")
        if not (colon and start.isdigit() and stop.isdigit()):
            raise BadData(
                f"{self.folder}: expected a range such as 0:900 or a split of {form.INFO} "
                f"({', '.join(known) or 'it has none'}), got '{self.split}'."
            )
        return rows[int(start) : int(stop)]

    @cached_property
    def _fingerprint(self) -> str:
        digest = hashlib.sha256(msgspec.json.encode([self.info, self.description, self.split]))
        for row in self._all:
            digest.update(msgspec.json.encode(row))
        return digest.hexdigest()[:16]

    @cached_property
    def _files(self) -> "OrderedDict[Path, tuple[pq.ParquetFile, np.ndarray]]":
        return OrderedDict()

    def _file(self, row: dict[str, Any]) -> Path:
        places = {k: row[f"data/{k}"] for k in ("chunk_index", "file_index")}
        return Path(self.folder) / self.info.data_path.format(**places)

    def _read(self, row: dict[str, Any]) -> pa.Table:
        path = self._file(row)
        try:
            file, ends = self._open(path)
            first = self._first_rows[path]
            start, stop = row["dataset_from_index"] - first, row["dataset_to_index"] - first
            low, high = np.searchsorted(ends, [start, stop - 1], side="right").tolist()
            table = file.read_row_groups(list(range(low, min(high + 1, len(ends)))))
            begin = start - (int(ends[low - 1]) if low else 0)
            return table.slice(begin, stop - start).combine_chunks()
        except (OSError, pa.ArrowException) as error:
            raise BadData(
                f"{path}: expected a parquet file, got: {error}. It is missing or was cut short; "
                "fetch it again."
            ) from error

    def _open(self, path: Path) -> tuple[pq.ParquetFile, np.ndarray]:
        """A parquet file and the row after each of its row groups."""
        if path not in self._files:
            file = pq.ParquetFile(path, memory_map=True)
            counts = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
            self._files[path] = file, np.cumsum(counts)
        self._files.move_to_end(path)
        if len(self._files) > _OPEN_FILES:
            self._files.popitem(last=False)[1][0].close()
        return self._files[path]

    @cached_property
    def _first_rows(self) -> dict[Path, int]:
        found: dict[Path, int] = {}
        for row in self._all:
            path = self._file(row)
            found[path] = min(found.get(path, row["dataset_from_index"]), row["dataset_from_index"])
        return found

    def _values(self, table: pa.Table, part: form.Part) -> Any:
        if part.feature not in table.column_names:
            raise BadData(
                f"{self.folder}: found no column '{part.feature}', though {form.INFO} names it. "
                "Fetch the data files again."
            )
        feature, column = self.info.features[part.feature], table[part.feature].combine_chunks()
        if feature.dtype == "image":
            return column.field("bytes").to_pylist()
        values = _flat(column).to_numpy(zero_copy_only=False)
        if part.start is not None:
            return values.reshape(len(column), -1)[:, part.start : part.stop]
        return values if feature.shape == (1,) else values.reshape(len(column), *feature.shape)

    def _masks(self, table: pa.Table, parts: dict[str, form.Part]) -> dict[str, np.ndarray]:
        return {name: self._values(table, part) for name, part in parts.items()}


def _flat(column: Any) -> pa.Array:
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    while pa.types.is_nested(column.type):
        column = column.flatten()
    return column


def _json(path: Path, kind: Any) -> Any:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except msgspec.DecodeError as error:
        raise BadData(f"{path}: expected LeRobot {form.VERSION} metadata, got: {error}.") from error


def _table(path: Path) -> pa.Table:
    try:
        return pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise BadData(
            f"{path}: expected a parquet file, got: {error}. It is missing or was cut short; "
            "fetch it again."
        ) from error
