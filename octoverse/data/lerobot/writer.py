"""Write episodes as a LeRobot v3.0 data set that can be appended to and survives being killed.

Images are stored in the tables, exactly as they are given, or as video files, much smaller.

Source: huggingface/lerobot, src/lerobot/datasets/dataset_writer.py, version 0.4 to 0.6.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from octoverse.data.lerobot import beside, laying, parquet
from octoverse.data.lerobot import format as form
from octoverse.data.lerobot.format import VideoFormat
from octoverse.data.lerobot.stats import Totals, episode_stats
from octoverse.data.lerobot.video_writer import Films
from octoverse.embodiment import Camera, Embodiment, GoalImage, differences
from octoverse.episode import Episode
from octoverse.errors import BadData

FLUSH_BYTES = 64 * 2**20
"""Episodes are held in memory up to this, then written as one file."""


class LeRobotWriter:
    """Appends episodes of one body to a folder.

    Episodes go to disk in files that are complete when they appear; info.json, written last, says
    how many episodes count. A recording that is killed loses what was added since the last flush
    and nothing else, and opening the folder again goes on after what counts.

    Args:
        folder: A new folder, or one written before.
        body: What is recorded.
        video: How images are encoded as video; None to store them as they are. A folder goes on as
            it began.

    Raises:
        BadData: if the folder holds something else, or a recording of another body.
    """

    def __init__(
        self, folder: Path | str, body: Embodiment, video: VideoFormat | None = None
    ) -> None:
        self.folder, self.body = Path(folder), body
        self._video = video
        self._films = Films(self.folder, body.control_hz, video) if video else None
        self._info: form.Info | None = None
        self._description: form.Description | None = None
        self._tasks: dict[str, int] = {}
        self._totals = Totals()
        self._files = 0
        self._tables: list[pa.Table] = []
        self._rows: list[dict[str, Any]] = []
        self._beside: list[dict[str, Any]] = []
        self._bytes = 0
        self._keys: list[str] = []
        if (self.folder / form.INFO).exists():
            self._reopen()
        elif self.folder.exists() and any(self.folder.glob("meta/*")):
            raise BadData(
                f"{self.folder}: expected an empty folder or a recording, got a meta folder "
                f"without {form.INFO}. Delete the folder, or choose another."
            )

    def __len__(self) -> int:
        return len(self._keys)

    @property
    def keys(self) -> Sequence[str]:
        """Key of every episode, in order."""
        return tuple(self._keys)

    @property
    def steps(self) -> int:
        """Time steps of all episodes."""
        return (self._info.total_frames if self._info else 0) + sum(
            row["length"] for row in self._rows
        )

    def __enter__(self) -> "LeRobotWriter":
        return self

    def __exit__(self, *error: object) -> None:
        self.flush()

    def add(self, episode: Episode) -> None:
        """Append one episode; images may be encoded (JPEG, PNG) or arrays.

        Raises:
            BadData: if it is empty, of another body, or has other streams than the first one.
        """
        if episode.embodiment != self.body.name or not len(episode):
            raise BadData(
                f"Episode {episode.key}: expected at least one step of '{self.body.name}', got "
                f"{len(episode)} of '{episode.embodiment}'."
            )
        if self._info is None or self._description is None:
            self._begin(episode)
        info, description = self._info, self._description
        assert info is not None and description is not None
        self._check(episode, description)
        number, first, count = len(self._keys), self.steps, len(episode)
        columns, images = laying.columns(episode, description, info)
        words = laying.words(episode, description, self.body)
        for word in words:
            self._tasks.setdefault(word, len(self._tasks))
        frame = np.arange(count)
        columns |= {
            form.TIME: episode.times_ns.astype(np.int64),
            "timestamp": (frame / info.fps).astype(np.float32),
            "frame_index": frame,
            "episode_index": np.full(count, number),
            "index": first + frame,
            "task_index": np.array([self._tasks[word] for word in words]),
        }
        filmed = self._films.add(images, self._files) if self._films else {}
        arrays = columns if self._films else {**columns, **images}
        schema = parquet.schema(info.features)
        table = pa.table(
            [parquet.array(info.features[key], arrays[key]) for key in schema.names], schema=schema
        )
        stats = episode_stats(columns, images)
        self._totals.add(stats)
        row: dict[str, Any] = {
            "episode_index": number,
            "tasks": sorted(set(words), key=words.index),
            "length": count,
            "dataset_from_index": first,
            "dataset_to_index": first + count,
            form.KEY: episode.key,
            **filmed,
        }
        for key, found in stats.items():
            row |= {f"stats/{key}/{name}": value.tolist() for name, value in found.items()}
        self._tables.append(table)
        self._rows.append(row)
        self._beside.append(beside.row(number, episode))
        self._keys.append(episode.key)
        self._bytes += table.nbytes
        if self._bytes + (self._films.nbytes if self._films else 0) >= FLUSH_BYTES:
            self.flush()

    def flush(self) -> None:
        """Bring everything added so far to disk."""
        if not self._rows or self._info is None or self._description is None:
            return
        spot = form.place(self._files)
        for row in self._rows:
            row |= {f"data/{k}": v for k, v in spot.items()}
            row |= {f"meta/episodes/{k}": v for k, v in spot.items()}
        for key, told in (self._films.close() if self._films else {}).items():
            self._info.features[key].info = told
            for row in self._rows:
                row |= {f"videos/{key}/{k}": v for k, v in spot.items()}
        parquet.write(self.folder / form.DATA.format(**spot), self._tables)
        parquet.write(
            self.folder / form.EPISODES.format(**spot), [pa.Table.from_pylist(self._rows)]
        )
        said = [row for row in self._beside if not beside.is_empty(row)]
        if said:
            parquet.write(
                self.folder / beside.PATH.format(**spot), [beside.table(row) for row in said]
            )
        self._files += 1
        form.replace_file(self.folder / form.TASKS, parquet.tasks_file(list(self._tasks)))
        form.replace_file(self.folder / form.STATS, json.dumps(self._totals.stats()).encode())
        form.replace_file(self.folder / form.DESCRIPTION, msgspec.json.encode(self._description))
        total = len(self._keys)
        self._info = msgspec.structs.replace(
            self._info,
            total_frames=self.steps,
            total_episodes=total,
            total_tasks=len(self._tasks),
            splits={"train": f"0:{total}"},
        )
        self._tables, self._rows, self._beside, self._bytes = [], [], [], 0
        form.replace_file(
            self.folder / form.INFO, msgspec.json.format(msgspec.json.encode(self._info), indent=4)
        )

    def _begin(self, episode: Episode) -> None:
        masked = {
            "observation": [k for k in episode.observation if k in episode.observation_valid],
            "action": [k for k in episode.action if k in episode.action_valid],
        }
        shapes = {
            name: laying.image_shape(episode.observation[name][0])
            for name in episode.observation
            if isinstance(self.body.observation.get(name), Camera | GoalImage)
        }
        observation = [k for k in self.body.observation if k in episode.observation]
        action = [k for k in self.body.action if k in episode.action]
        self._description, features = form.describe(self.body, observation, action, masked, shapes)
        self._description = msgspec.structs.replace(self._description, video=self._video)
        if self._films:
            for feature in features.values():
                feature.dtype = "video" if feature.dtype == "image" else feature.dtype
        hz = self.body.control_hz
        self._info = form.Info(
            robot_type=self.body.name,
            fps=int(hz) if hz == int(hz) else hz,
            data_path=form.DATA,
            video_path=form.VIDEO if self._films and shapes else None,
            features=features,
        )

    def _reopen(self) -> None:
        from octoverse.data.lerobot.source import LeRobotSource

        source = LeRobotSource(folder=self.folder)
        found = differences(self.body, source.description.body)
        if found:
            raise BadData(
                f"{self.folder}: expected a recording of '{self.body.name}', got another body: "
                f"{'; '.join(found)}. Record into another folder."
            )
        began = source.description.video
        if self._video not in (None, began):
            raise BadData(
                f"{self.folder}: expected a recording with {self._video}, got one with "
                f"{began or 'images'}. Record into another folder, or go on as it began."
            )
        self._films = Films(self.folder, self.body.control_hz, began) if began else None
        self._info, self._description = source.info, source.description
        self._tasks = {task: i for i, task in sorted(source.tasks.items())}
        for row in source.layout.episodes(with_stats=True):
            told = row.fields
            self._keys.append(told[form.KEY])
            self._totals.add_row(told)
            spot = told["data/chunk_index"] * form.FILES_PER_CHUNK + told["data/file_index"]
            self._files = max(self._files, spot + 1)

    def _check(self, episode: Episode, description: form.Description) -> None:
        for side, parts, masks in (
            ("observation", description.observation, description.observation_valid),
            ("action", description.action, description.action_valid),
        ):
            given = getattr(episode, side)
            if given.keys() != parts.keys():
                raise BadData(
                    f"Episode {episode.key}: expected {side} {', '.join(sorted(parts))}, got "
                    f"{', '.join(sorted(given)) or 'none'}. All episodes of a folder have the "
                    "same; where one lacks a stream, give it a mask from the first episode on."
                )
            for name, values in given.items():
                if len(values) != len(episode):
                    raise BadData(
                        f"Episode {episode.key}, '{name}': expected {len(episode)} values, got "
                        f"{len(values)}."
                    )
            for name, valid in getattr(episode, f"{side}_valid").items():
                if name not in masks and not np.all(valid):
                    raise BadData(
                        f"Episode {episode.key}, '{name}': some values are invalid, but the "
                        "first episode had no mask for it. Give it one, all true, there."
                    )
