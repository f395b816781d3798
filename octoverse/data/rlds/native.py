"""Records of a TFDS folder by our own reader: checked once per process, images read when asked."""

import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from octoverse.data.kept import SOURCES
from octoverse.data.rlds import address, tfrecord
from octoverse.data.rlds.example import Pieces, Values, parse
from octoverse.data.rlds.facts import Part
from octoverse.data.rlds.index import shards
from octoverse.data.source import Images
from octoverse.errors import BadData

_CHECKED: dict[tuple[str, str], set[int]] = {}
"""By file and its stamp, the records whose checksums this process has compared."""

_BUFFERS = threading.local()
_LARGEST = 64 << 20
"""Bytes of the largest record whose buffer is used again."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where one record lies."""

    file: str
    stamp: str
    """Of the file: see `address.stamp`."""
    offset: int
    size: int
    """Bytes of its content."""

    def __str__(self) -> str:
        return f"{self.file}, record at byte {self.offset}"


@dataclass(frozen=True, kw_only=True)
class Records:
    """The records of a split, in order; plain arrays, so it travels to worker processes."""

    files: tuple[tuple[str, str], ...]
    """Address and stamp."""
    file: np.ndarray
    """int32 (episodes,): which of `files`."""
    offsets: np.ndarray
    sizes: np.ndarray
    steps: np.ndarray
    """int64 (episodes,)."""

    @classmethod
    def find(cls, parts: Sequence[Part], metadata: str, cache: Path | None) -> "Records":
        """Find them in the files of a split.

        Args:
            parts: Files, and which of their episodes belong to it.
            metadata: Changes with the folder's metadata.
            cache: See `index.shards`.

        Raises:
            BadData: if a file is damaged, or has another number of episodes than is told.
        """
        found = shards([part.file for part in parts], metadata, cache)
        for part, shard in zip(parts, found, strict=True):
            if len(shard.offsets) != part.total:
                raise BadData(
                    f"{part.file}: expected {part.total} episodes (dataset_info.json), "
                    f"got {len(shard.offsets)}. The file was cut short or belongs to another "
                    "version; fetch it again."
                )
        pairs = list(zip(parts, found, strict=True))

        def joined(name: str) -> np.ndarray:
            rows = [getattr(s, name)[p.skip : p.skip + p.take] for p, s in pairs]
            return np.concatenate([np.array(row, np.int64) for row in rows])

        return cls(
            files=tuple((part.file, shard.stamp) for part, shard in pairs),
            file=np.repeat(np.arange(len(parts), dtype=np.int32), [part.take for part in parts]),
            offsets=joined("offsets"),
            sizes=joined("sizes"),
            steps=joined("steps"),
        )

    def where(self, index: int) -> str:
        """Where one episode lies, in words."""
        return str(self.place(index))

    def place(self, index: int) -> Place:
        """Where one episode lies."""
        file, stamp = self.files[self.file[index]]
        return Place(
            file=file, stamp=stamp, offset=int(self.offsets[index]), size=int(self.sizes[index])
        )

    def record(self, index: int, wanted: Collection[str]) -> Mapping[str, Values]:
        """Those features of one episode.

        Raises:
            BadData: if the record is damaged.
        """
        place = self.place(index)
        try:
            return parse(_content(place), wanted)
        except BadData as error:
            if str(error).startswith(place.file):
                raise
            raise BadData(f"{place}: {error}") from error

    def lazy(self, index: int, values: Sequence[bytes]) -> Sequence[bytes]:
        """Byte strings of one episode's record, each read when it is indexed."""
        if not isinstance(values, Pieces):
            return values
        starts, sizes = np.array(values.starts, np.int64), np.array(values.sizes, np.int64)
        return Images(len(values), partial(_piece, self.place(index), starts, sizes))


def _content(place: Place) -> memoryview:
    """A record's content; of a local file it is good until this thread reads the next."""
    if address.local_path(place.file) is not None:
        return _checked(place)
    # Kept: a request for each image of a window would take longer than the record.
    return memoryview(SOURCES.get(_name(place), lambda: bytes(_checked(place)), len))


def _checked(place: Place) -> memoryview:
    stop = place.offset + tfrecord.HEADER + place.size + tfrecord.FOOTER
    read = address.read_range(place.file, place.offset, stop, place.stamp, _buffer(place))
    checked = _CHECKED.setdefault((place.file, place.stamp), set())
    new = place.offset not in checked
    content = tfrecord.content_of(memoryview(read), place.file, place.offset, checked=new)
    checked.add(place.offset)
    return content


def _name(place: Place) -> tuple[str, Place]:
    return "record", place


def _buffer(place: Place) -> bytearray:
    """Memory that each record of this thread is read into: new memory costs more than reading."""
    size = tfrecord.HEADER + place.size + tfrecord.FOOTER
    buffer: bytearray = getattr(_BUFFERS, "buffer", bytearray())
    if len(buffer) < size:
        buffer = bytearray(size + size // 4)
        if size <= _LARGEST:
            _BUFFERS.buffer = buffer
    return buffer


def _piece(place: Place, starts: np.ndarray, sizes: np.ndarray, index: int) -> bytes:
    start, stop = int(starts[index]), int(starts[index]) + int(sizes[index])
    kept: bytes | None = SOURCES.find(_name(place))
    if kept is not None:
        return kept[start:stop]
    begin = place.offset + tfrecord.HEADER
    return bytes(address.read_range(place.file, begin + start, begin + stop, place.stamp))
