"""Make the samples of a step: open episodes, decode images, cut. Runs wherever it is called."""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from octoverse.data.cutting import Cutter
from octoverse.data.kept import SOURCES, Kept
from octoverse.data.opened import OpenedEpisode
from octoverse.data.pictures import picture_of
from octoverse.data.schedule import Draw
from octoverse.data.source import Source
from octoverse.data.variation import Variation
from octoverse.data.windows import StackedWindows, WindowSpec
from octoverse.embodiment import Embodiment
from octoverse.errors import BadConfig, BadData
from octoverse.preprocess import Preprocess, PreprocessConfig

_SOURCES_SHARE = 0.25
"""Of the memory, for what sources keep open: files, decoders, parsed records."""
_EPISODES_SHARE = 0.25
"""Of the memory, for opened episodes; the rest is for decoded images."""
_ATTEMPTS = 50
"""Samples that are drawn in place of ones that cannot be read, before giving up."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """Everything that decides what a sample is, apart from which one; can be pickled."""

    sources: Sequence[Source]
    bodies: Mapping[str, Embodiment]
    specs: Mapping[str, WindowSpec]
    preprocess: PreprocessConfig
    variation: Variation
    augment: bool
    lengths: Sequence[np.ndarray]
    """Steps of every episode, by source."""
    memory: int
    """For episodes and images that are kept, in bytes."""
    skip_bad: bool

    def empty(self, body: str, count: int) -> StackedWindows:
        """Room for so many samples of a body."""
        preprocess = Preprocess(self.preprocess)
        return StackedWindows.empty(self.bodies[body], self.specs[body], preprocess, count)


@dataclass(frozen=True)
class Place:
    """Where a sample goes: the row of its body's batch."""

    body: str
    row: int
    draw: Draw


@dataclass
class Made:
    """What came of making some samples, beside the arrays that were written."""

    words: list[tuple[str, str, int, str]] = field(default_factory=list)
    """Body, stream, row and text of every instruction."""
    skipped: list[tuple[str, int, str]] = field(default_factory=list)
    """Source, episode and what is wrong with it, for each sample that was replaced."""


class Assembler:
    """Makes samples, one process's worth of memory at a time."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._preprocess = Preprocess(setting.preprocess)
        self._cutters = {
            name: Cutter(
                body, setting.specs[name], self._preprocess, setting.variation, setting.augment
            )
            for name, body in setting.bodies.items()
        }
        SOURCES.limit = int(setting.memory * _SOURCES_SHARE)
        self._opened = Kept(int(setting.memory * _EPISODES_SHARE))
        self._pictures = Kept(setting.memory - SOURCES.limit - self._opened.limit)

    def make(self, places: Sequence[Place], into: Mapping[str, StackedWindows]) -> Made:
        """Write samples into their rows.

        Raises:
            BadData: if one cannot be read, unless bad ones are to be skipped.
        """
        made = Made()
        for place in places:
            self._one(place, into[place.body], made)
        return made

    def _one(self, place: Place, into: StackedWindows, made: Made) -> None:
        draw = place.draw
        episode, step = draw.episode, draw.step
        for attempt in range(_ATTEMPTS):
            try:
                self._write(place, into, episode, step)
                break
            except BadData as error:
                if not self._setting.skip_bad:
                    raise
                source = self._setting.sources[draw.source]
                made.skipped.append((source.name, episode, str(error)))
                episode, step = self._other(draw, attempt)
        else:
            raise BadData(
                f"'{self._setting.sources[draw.source].name}': {_ATTEMPTS} samples in a row cannot "
                f"be read, the last one because: {made.skipped[-1][2]}"
            )
        for name, values in into.streams.items():
            if isinstance(values, list):
                made.words.append((place.body, name, place.row, values[place.row]))

    def _write(self, place: Place, into: StackedWindows, episode: int, step: int) -> None:
        key = (place.draw.source, episode)
        opened = self._open(*key)
        if step >= len(opened):
            source = self._setting.sources[key[0]]
            raise BadData(
                f"'{source.name}', episode {episode}: expected "
                f"{self._setting.lengths[key[0]][episode]} steps, as lengths() says, got "
                f"{len(opened)}. Fetch it again."
            )
        rng = np.random.default_rng(place.draw.seed)

        def picture(name: str, at: int) -> np.ndarray:
            read = partial(picture_of, opened, self._preprocess, name, at)
            return self._pictures.get((*key, name, at), read, _nbytes)

        self._cutters[place.body].cut(into, place.row, opened, step, picture, rng)
        into.seeds[place.row] = place.draw.seed
        into.source[place.row] = place.draw.source

    def _open(self, source: int, episode: int) -> OpenedEpisode:
        def make() -> OpenedEpisode:
            data = self._setting.sources[source]
            made = OpenedEpisode(data.episode(episode), self._setting.bodies[data.embodiment])
            if made.nbytes > self._opened.limit:
                raise BadConfig(
                    f"'{data.name}', episode {made.episode.key}: expected at most "
                    f"{self._opened.limit:,} bytes ({_EPISODES_SHARE:.0%} of a process's share of "
                    f"the memory), got {made.nbytes:,}. Give the mixture more memory, or fewer "
                    "workers."
                )
            return made

        return self._opened.get((source, episode), make, _nbytes)

    def _other(self, draw: Draw, attempt: int) -> tuple[int, int]:
        """Any episode and step of the same source, in place of one that cannot be read."""
        sizes = self._setting.lengths[draw.source]
        rng = np.random.default_rng((draw.seed, 1, attempt))
        flat = int(rng.integers(int(sizes.sum())))
        ends = np.cumsum(sizes)
        episode = int(np.searchsorted(ends, flat, side="right"))
        return episode, flat - int(ends[episode] - sizes[episode])


def _nbytes(value: OpenedEpisode | np.ndarray) -> int:
    return value.nbytes


def rows_of(places: Sequence[Place]) -> dict[str, int]:
    """How many samples of each body there are."""
    counts: dict[str, int] = {}
    for place in places:
        counts[place.body] = counts.get(place.body, 0) + 1
    return counts


def worker_of(place: Place, workers: int) -> int:
    """Which worker makes a sample: those of one episode share what is opened and decoded."""
    return zlib.crc32(f"{place.draw.source}/{place.draw.episode}".encode()) % workers
