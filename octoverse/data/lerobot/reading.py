"""One episode out of a LeRobot folder: its numbers and words at once, its images lazily."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from octoverse.data.lerobot import format as form
from octoverse.data.lerobot import video
from octoverse.data.lerobot.columns import Rows, rows_of
from octoverse.data.lerobot.declared import TASK, Declared
from octoverse.data.lerobot.layout import Layout
from octoverse.data.lerobot.metadata import Clip, Row
from octoverse.data.lerobot.times import times_ns
from octoverse.data.source import Images
from octoverse.data.standard import Taken
from octoverse.embodiment import (
    ActionGroup,
    Camera,
    Command,
    Embodiment,
    GoalImage,
    PathGroup,
    Stream,
    stream_shape,
)
from octoverse.episode import Episode
from octoverse.errors import BadData


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How the episodes of one folder are read."""

    source: str
    body: Embodiment
    declared: Declared
    info: form.Info
    parts: Mapping[str, form.Part]
    """What a declaration may name: features, and GR00T's names for slices of them."""
    layout: Layout
    tasks: Mapping[int, str]

    def episode(self, row: Row) -> Episode:
        """Read an episode's numbers and words; its images are left out.

        Raises:
            BadData: if its file is missing or damaged, or its numbers are not as declared.
        """
        rows = self.rows(row)
        where = f"{rows.path}, episode {row.number}"
        if len(rows) != row.length:
            raise BadData(
                f"{where}: expected {row.length} rows, got {len(rows)}. Fetch the file again."
            )
        table = self._table(rows, where)
        standard, body = self.declared.standard, self.body
        seen = {k: v for k, v in standard.observation.items() if not self._is_image(k)}
        observation, observation_valid = self._side(
            table, seen, body.observation, self.declared.observation_valid, where
        )
        for name, feature in standard.instruction.items():
            words = self._words(table, feature, where)
            observation[name] = words
            said = np.array([bool(word) for word in words])
            if not said.all():
                observation_valid[name] = said & observation_valid.get(name, True)
        action, action_valid = self._side(
            table, standard.action, body.action, self.declared.action_valid, where
        )
        for name, taken in self.declared.observation_valid.items():
            if self._is_image(name) or name in standard.instruction:
                known = self._mask(table, taken, where)
                observation_valid[name] = known & observation_valid.get(name, True)
        return Episode(
            embodiment=body.name,
            source=self.source,
            key=row.fields.get(form.KEY) or str(row.number),
            times_ns=times_ns(table, self.info.fps, where),
            observation=observation,
            action=action,
            observation_valid=observation_valid,
            action_valid=action_valid,
        )

    def images(self, row: Row) -> dict[str, Images]:
        """The lazy images of an episode, by stream."""
        return {
            name: self.image_source(row, self.parts[taken.feature].feature, name)
            for name, taken in self.declared.standard.observation.items()
            if self._is_image(name)
        }

    def rows(self, row: Row) -> Rows:
        """Where an episode's rows are read from."""
        return rows_of(self.layout.span(row))

    def image_source(self, row: Row, feature: str, camera: str) -> Images:
        """The images of one camera of an episode."""
        kind = self.info.features[feature].dtype if feature in self.info.features else "none"
        if kind == "video":
            return Images(row.length, partial(clip_frame, self.layout.clip(row, feature), row))
        if kind == "image":
            return self.rows(row).images(feature)
        raise BadData(
            f"'{self.source}', '{feature}': expected a feature of images or video for the "
            f"camera '{camera}', got {kind}."
        )

    def _is_image(self, name: str) -> bool:
        return isinstance(self.body.observation[name], Camera | GoalImage)

    def _table(self, rows: Rows, where: str) -> pa.Table:
        standard = self.declared.standard
        taken = [
            *(v for k, v in standard.observation.items() if not self._is_image(k)),
            *standard.action.values(),
            *self.declared.observation_valid.values(),
            *self.declared.action_valid.values(),
        ]
        wanted = [self.parts[feature].feature for one in taken for feature in one.names]
        for feature in standard.instruction.values():
            wanted.append("task_index" if feature in TASK else self.parts[feature].feature)
        kept = [name for name in (form.TIME, "timestamp") if name in rows.names]
        wanted = list(dict.fromkeys([*wanted, *kept]))
        for name in wanted:
            if name not in rows.names:
                raise BadData(
                    f"{where}: found no column '{name}', though {form.INFO} names it. "
                    "Fetch the data files again."
                )
        return rows.read(wanted or [rows.names[0]])

    def _side(
        self,
        table: pa.Table,
        standard: Mapping[str, Taken],
        specs: Mapping[str, Any],
        masks: Mapping[str, Taken],
        where: str,
    ) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        found: dict[str, Any] = {}
        valid: dict[str, np.ndarray] = {}
        for name, taken in standard.items():
            arrays = [self._array(table, feature, where) for feature in taken.names]
            numbers, real = taken.numbers(*arrays)
            if name in masks:
                known = self._mask(table, masks[name], where)
                real = known if real is None else known & real
            if real is not None:
                valid[name] = real
            found[name] = _checked(numbers, real, specs[name], f"{where}, '{name}'")
        return found, valid

    def _mask(self, table: pa.Table, taken: Taken, where: str) -> np.ndarray:
        known = taken.numbers(self._array(table, taken.feature, where))[0].astype(bool)
        return known[:, 0] if known.shape[1] == 1 else known

    def _array(self, table: pa.Table, name: str, where: str) -> np.ndarray:
        """A feature or a slice of it, (t, ...)."""
        part = self.parts[name]
        column, shape = table[part.feature], self.info.features[part.feature].shape
        flat = _flat(column)
        try:
            values: np.ndarray = flat.to_numpy(zero_copy_only=False)
            rows = values.reshape(len(column), *shape)
        except (pa.ArrowException, ValueError) as error:
            raise BadData(
                f"{where}, '{part.feature}': expected {tuple(shape)} numbers in each of "
                f"{len(column)} rows ({form.INFO}), got {len(flat)} of type {flat.type} in all."
            ) from error
        return rows if part.start is None else rows[:, part.start : part.stop]

    def _words(self, table: pa.Table, feature: str, where: str) -> Sequence[str]:
        name = "task_index" if feature in TASK else self.parts[feature].feature
        values = _flat(table[name]).to_pylist()
        if not any(isinstance(value, int) for value in values):
            return [value or "" for value in values]
        unknown = set(values) - self.tasks.keys()
        if unknown:
            raise BadData(
                f"{where}, '{name}': expected an index of {len(self.tasks)} tasks, got "
                f"{sorted(unknown)}. Fetch the table of tasks again."
            )
        return [self.tasks[value] for value in values]


def clip_frame(clip: Clip, row: Row, step: int) -> np.ndarray:
    """The image of one time step out of an episode's clip.

    Raises:
        BadData: if the video is missing, damaged, or shorter than the episode.
    """
    index = video.index(clip.path)
    first = 0 if clip.start is None else index.first(clip.start)
    if first + row.length > len(index):
        begins = "" if clip.start is None else f" from {clip.start:.3f} s on"
        raise BadData(
            f"{clip.path}, episode {row.number}: expected {row.length} frames{begins}, got "
            f"{max(len(index) - first, 0)}. The video is shorter than its table: fetch it again, "
            "or leave the episode out."
        )
    return video.frame(clip.path, first + step)


def _flat(column: Any) -> pa.Array:
    column = column.combine_chunks()
    while pa.types.is_nested(column.type):
        column = column.flatten()
    return column


def _checked(
    numbers: np.ndarray, real: np.ndarray | None, spec: Stream | ActionGroup, where: str
) -> np.ndarray:
    """The numbers in the shape of their stream or group; raises where they do not fit."""
    if isinstance(spec, PathGroup):
        shape: tuple[int, ...] = (spec.steps, spec.size)
    elif isinstance(spec, ActionGroup):
        shape = (spec.size,)
    else:
        shape = stream_shape(spec)
    if isinstance(spec, Command):
        return numbers.astype(np.int64).reshape(len(numbers))
    if numbers.shape[1:] != shape:
        raise BadData(
            f"{where}: expected {shape} numbers a step, got {numbers.shape[1:]}. "
            "Correct the declaration's start and stop, or the body."
        )
    fine = np.isfinite(numbers)
    if not fine.all():
        if real is not None:
            fine |= ~real.reshape(real.shape + (1,) * (fine.ndim - real.ndim))
        if not fine.all():
            step, *rest = np.argwhere(~fine)[0].tolist()
            value = numbers[(step, *rest)]
            raise BadData(
                f"{where}: expected finite numbers, got {value} in row {step}, dimension "
                f"{rest[-1]}. Correct it, or mask it with a `convert` that says what is real."
            )
    # A copy: a view would keep the table that it was read with in memory.
    return np.array(numbers)
