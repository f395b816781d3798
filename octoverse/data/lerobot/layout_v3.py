"""LeRobot v3.0: many episodes in one parquet file, and in one video per camera.

Source: huggingface/lerobot, src/lerobot/datasets/utils.py, version 0.4 to 0.6.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from octoverse.data.lerobot import format as form
from octoverse.data.lerobot.metadata import Clip, Row, Span, counted, filled, read_table
from octoverse.errors import BadData


@dataclass(frozen=True, kw_only=True)
class LayoutV3:
    """A v3.0 folder."""

    folder: Path
    info: form.Info

    def episodes(self, with_stats: bool = False) -> list[Row]:
        """Every episode that counts, by number."""
        found: list[Row] = []
        for path in sorted((self.folder / "meta/episodes").glob("chunk-*/file-*.parquet")):
            table = read_table(path)
            kept = [c for c in table.column_names if with_stats or not c.startswith("stats/")]
            missing = {"episode_index", "length"} - set(kept)
            if missing:
                raise BadData(
                    f"{path}: expected the columns episode_index and length, got "
                    f"{', '.join(kept)}. Fetch it again."
                )
            found += [
                Row(number=row["episode_index"], length=row["length"], fields=row)
                for row in table.select(kept).to_pylist()
            ]
        found.sort(key=lambda row: row.number)
        counted(self.folder, "meta/episodes", found, self.info.total_episodes)
        # A recording that was killed may leave episodes that info.json does not count yet.
        return found[: self.info.total_episodes]

    def tasks(self) -> Mapping[int, str]:
        """Instructions by task_index."""
        table = read_table(self.folder / form.TASKS)
        labels = [name for name in table.column_names if name != "task_index"]
        if len(labels) == len(table.column_names) or not labels:
            raise BadData(
                f"{self.folder / form.TASKS}: expected the tasks and their task_index, got the "
                f"columns {', '.join(table.column_names)}. Fetch it again."
            )
        named = zip(table["task_index"].to_pylist(), table[labels[0]].to_pylist(), strict=True)
        return dict(named)

    def span(self, row: Row) -> Span:
        """Where the rows of an episode lie."""
        return Span(
            path=self._path(self.info.data_path or form.DATA, row, "data"), number=row.number
        )

    def clip(self, row: Row, feature: str) -> Clip:
        """Where the frames of one camera of an episode lie."""
        where = f"videos/{feature}"
        path = self._path(self.info.video_path or form.VIDEO, row, where, video_key=feature)
        return Clip(path=path, start=float(row.fields[f"{where}/from_timestamp"]))

    def _path(self, template: str, row: Row, where: str, **more: str) -> Path:
        columns = [f"{where}/chunk_index", f"{where}/file_index"]
        if where != "data":
            columns.append(f"{where}/from_timestamp")
        for column in columns:
            if row.fields.get(column) is None:
                raise BadData(
                    f"{self.folder}/meta/episodes, episode {row.number}: expected the column "
                    f"'{column}', found none. Fetch the table of episodes again."
                )
        places = {
            "chunk_index": row.fields[columns[0]],
            "file_index": row.fields[columns[1]],
            **more,
        }
        return self.folder / filled(template, self.folder / form.INFO, **places)
