"""Read LeRobot data sets, v2.0 to v3.0: tables in parquet, images in them or in video files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from octoverse.data.kept import SOURCES
from octoverse.data.lerobot import beside
from octoverse.data.lerobot import declared as say
from octoverse.data.lerobot import format as form
from octoverse.data.lerobot.layout import Layout, digest, layout_of
from octoverse.data.lerobot.metadata import Row, read_info
from octoverse.data.lerobot.modality import modality_of
from octoverse.data.lerobot.reading import Reading
from octoverse.data.lerobot.splits import chosen
from octoverse.data.source import body_of, check_index
from octoverse.data.standard import Standard
from octoverse.embodiment import Embodiment
from octoverse.episode import Episode
from octoverse.errors import BadData


@dataclass(frozen=True, kw_only=True)
class LeRobotSource:
    """A LeRobot folder, in the conventions of a body.

    What its features mean is said by `standard`, by the file `mapping`, or by the folder's own
    meta/octoverse.json, the first of them that there is.
    """

    folder: Path
    label: str = ""
    """How mixtures call it; the folder's name unless given."""
    split: str = ""
    """A split of meta/info.json, or a range of episodes: 0:900 by episode_index, -2: the last two;
    everything unless given."""
    mapping: Path | None = None
    """A file like meta/octoverse.json for a recording that has none."""
    standard: Standard | None = None
    """How its features become the body's."""

    @property
    def name(self) -> str:
        """How mixtures and reports call it."""
        return self.label or Path(self.folder).name

    @property
    def embodiment(self) -> str:
        """Name of the body that it was recorded with."""
        return self.declared.standard.embodiment

    def __len__(self) -> int:
        return len(self._chosen)

    def __getstate__(self) -> dict[str, Any]:
        """The settings alone: what is open or read belongs to one process."""
        return {one.name: getattr(self, one.name) for one in fields(self)}

    def lengths(self) -> np.ndarray:
        """Steps of every episode, int64 (episodes,)."""
        return np.array([row.length for row in self._chosen], np.int64)

    def fingerprint(self) -> str:
        """Hash of the metadata, the data files' sizes, the split and the declaration."""
        return self._fingerprint

    def episode(self, index: int) -> Episode:
        """Open one episode; the numbers of those opened last are kept.

        Raises:
            BadData: if its file is missing or damaged.
        """
        check_index(self, index)
        number = self._chosen[index].number
        return SOURCES.get((self._own, number), lambda: self._opened(number), _nbytes)

    @cached_property
    def info(self) -> form.Info:
        """meta/info.json."""
        return read_info(Path(self.folder))

    @cached_property
    def description(self) -> form.Description:
        """meta/octoverse.json or `mapping`, checked against the body as it is today."""
        return say.read_description(Path(self.folder), self.mapping)

    @cached_property
    def declared(self) -> say.Declared:
        """What its features mean."""
        if self.standard is not None:
            return say.Declared(standard=self.standard)
        return say.from_description(self.description)

    @cached_property
    def tasks(self) -> Mapping[int, str]:
        """Instructions by task_index."""
        return self.layout.tasks()

    @cached_property
    def layout(self) -> Layout:
        """How its version lays out the folder."""
        return layout_of(Path(self.folder), self.info)

    @cached_property
    def _body(self) -> Embodiment:
        return body_of(self)

    @cached_property
    def _reading(self) -> Reading:
        folder = Path(self.folder)
        parts = {name: form.Part(feature=name) for name in self.info.features}
        parts |= modality_of(folder)
        say.check(self.declared, self._body, folder, parts)
        return Reading(
            source=self.name,
            body=self._body,
            declared=self.declared,
            info=self.info,
            parts=parts,
            layout=self.layout,
            tasks=self.tasks if self.declared.standard.instruction else {},
        )

    @cached_property
    def _own(self) -> object:
        """Stands for this source among those that share what is kept."""
        return object()

    def _opened(self, number: int) -> Episode:
        row = self._row(number)
        found = self._reading.episode(row)
        seen = {**found.observation, **self._reading.images(row)}
        more = beside.read(Path(self.folder), row.fields, number)
        return replace(found, observation=seen, **more)

    def _row(self, number: int) -> Row:
        return self._by_number[number]

    @cached_property
    def _by_number(self) -> dict[int, Row]:
        return {row.number: row for row in self._chosen}

    @cached_property
    def _chosen(self) -> Sequence[Row]:
        folder = Path(self.folder)
        found = chosen(self.layout.episodes(), self.split, self.info.splits, folder)
        for row in found:
            if row.length < 1:
                raise BadData(
                    f"{folder}, episode {row.number}: expected at least one time step, got "
                    f"{row.length}. Leave it out of the table of episodes."
                )
        return found

    @cached_property
    def _fingerprint(self) -> str:
        return digest(self.layout, self._chosen, [self.info, self.declared.told, self.split])


def _nbytes(episode: Episode) -> int:
    parts = (episode.observation, episode.action)
    held = [one for part in parts for one in part.values() if isinstance(one, np.ndarray)]
    agents = 0 if episode.tracks is None else 64 * len(episode.tracks.step)
    # Words and the episode itself: about as much as their references.
    return sum(one.nbytes for one in held) + agents + 16 * len(episode) + 4096
