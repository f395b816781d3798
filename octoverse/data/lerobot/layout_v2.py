"""LeRobot v2.0 and v2.1: one parquet file and one video per camera for every episode.

Source: huggingface/lerobot, src/lerobot/datasets/utils.py, version 0.3.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from octoverse.data.lerobot import format as form
from octoverse.data.lerobot.metadata import Clip, Row, Span, counted, filled, read_lines

EPISODES = "meta/episodes.jsonl"
TASKS = "meta/tasks.jsonl"
DATA = "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet"
VIDEO = "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4"


class _Episode(msgspec.Struct):
    episode_index: int
    length: int
    tasks: list[str] = []


class _Task(msgspec.Struct):
    task_index: int
    task: str


@dataclass(frozen=True, kw_only=True)
class LayoutV2:
    """A v2.0 or v2.1 folder."""

    folder: Path
    info: form.Info

    def episodes(self, with_stats: bool = False) -> list[Row]:
        """Every episode, by number."""
        found = read_lines(self.folder / EPISODES, _Episode)
        found.sort(key=lambda episode: episode.episode_index)
        rows = [
            Row(number=one.episode_index, length=one.length, fields={"tasks": one.tasks})
            for one in found
        ]
        counted(self.folder, EPISODES, rows, self.info.total_episodes)
        return rows

    def tasks(self) -> Mapping[int, str]:
        """Instructions by task_index."""
        return {one.task_index: one.task for one in read_lines(self.folder / TASKS, _Task)}

    def span(self, row: Row) -> Span:
        """Where the rows of an episode lie."""
        return Span(path=self._find(self.info.data_path or DATA, row), number=None)

    def clip(self, row: Row, feature: str) -> Clip:
        """Where the frames of one camera of an episode lie."""
        path = self._find(self.info.video_path or VIDEO, row, video_key=feature)
        return Clip(path=path, start=None)

    def _find(self, template: str, row: Row, **more: Any) -> Path:
        chunk = row.number // self.info.chunks_size
        name = filled(
            template,
            self.folder / form.INFO,
            episode_chunk=chunk,
            episode_index=row.number,
            **more,
        )
        said = self.folder / name
        if said.exists():
            return said
        # GR00T's demonstration data say chunk-{episode_index} and lie in chunk-000.
        parts = ["chunk-*" if part.startswith("chunk-") else part for part in Path(name).parts]
        near = sorted(self.folder.glob(str(Path(*parts))))
        return near[0] if len(near) == 1 else said
