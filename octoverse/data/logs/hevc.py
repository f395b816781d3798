"""Frames of a raw HEVC stream (no container, so no times and no index) by their number.

Source: ITU-T H.265, 7.3.1.2 and table 7-1, for where pictures begin and which can be decoded by
themselves. Decoding needs PyAV.
"""

import mmap
import threading
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from octoverse.data.pixels import PixelConverter
from octoverse.errors import BadData

_START = b"\x00\x00\x01"
_PICTURE, _SETS, _BEFORE = range(0, 32), range(32, 35), (32, 33, 34, 35, 39)
"""Types of units: parts of a picture, parameter sets, what may come before a picture."""
_ALONE = range(16, 21)
"""Pictures after which nothing refers to what came before."""


class HevcFrames(Sequence[Any]):
    """Frames, uint8 (h, w, 3) RGB, decoded when they are indexed.

    Each process reads the file once for an index and keeps one decoder: frames that follow each
    other are decoded on, others from the last picture that can be decoded by itself.

    Args:
        path: The stream.
        count: How many frames it has by its table.
    """

    def __init__(self, path: Path, count: int) -> None:
        self.path, self._count = path, count
        self._forget()

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(self._count))]
        if not -self._count <= index < self._count:
            raise IndexError(f"There are {self._count} frames, got index {index}.")
        with self._lock:
            return self._frame(int(index) % self._count)

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "_count": self._count}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._forget()

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._frames: Iterator[Any] = iter(())
        self._key = self._next = -1

    @cached_property
    def _to_rgb(self) -> PixelConverter:
        return PixelConverter("rgb24")

    def _frame(self, number: int) -> np.ndarray:
        keys, pictures = self._index[:2]
        if len(pictures) < self._count:
            raise BadData(
                f"{self.path}: expected {self._count} frames, one for each time, got "
                f"{len(pictures)}. The video is shorter than its table; fetch it again."
            )
        key = int(keys[np.searchsorted(keys, number, side="right") - 1])
        if key != self._key or not self._next <= number:
            self._frames, self._key, self._next = self._decode(key), key, key
        found = None
        while self._next <= number:
            found, self._next = next(self._frames, None), self._next + 1
            if found is None or found.is_corrupt:
                self._key = -1
                raise BadData(
                    f"{self.path}: frame {number} cannot be decoded. The video is damaged; "
                    "fetch it again."
                )
        assert found is not None
        picture: np.ndarray = self._to_rgb(found).to_ndarray()
        return picture

    def _decode(self, key: int) -> Iterator[Any]:
        """Frames from a picture that can be decoded by itself up to the next one."""
        import av

        keys, pictures, sets = self._index
        later = keys[keys > key]
        codec = av.CodecContext.create("hevc", "r")
        codec.thread_count = 1
        last = int(later[0]) if len(later) else len(pictures)
        with self.path.open("rb") as file:
            ends = [*pictures[1:].tolist(), self.path.stat().st_size]
            for number in range(key, last):
                file.seek(int(pictures[number]))
                unit = file.read(ends[number] - int(pictures[number]))
                packet = av.Packet(sets + unit if number == key else unit)
                try:
                    yield from codec.decode(packet)
                except av.FFmpegError:
                    return
        try:
            yield from codec.decode(None)
        except av.FFmpegError:
            return

    @cached_property
    def _index(self) -> tuple[np.ndarray, np.ndarray, bytes]:
        """Numbers of pictures that stand alone, where each picture begins, parameter sets."""
        if not self.path.exists() or not self.path.stat().st_size:
            raise BadData(f"{self.path}: expected a raw HEVC stream, found nothing. Fetch it.")
        keys: list[int] = []
        pictures: list[int] = []
        sets: list[bytes] = []
        with (
            self.path.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
        ):
            place, begins = data.find(_START), -1
            while 0 <= place < len(data) - 6:
                kind = data[place + 3] >> 1 & 63
                after = data.find(_START, place + 3)
                if kind in _BEFORE and begins < 0:
                    begins = place
                if kind in _SETS and not pictures:
                    sets.append(data[place : after if after >= 0 else len(data)])
                # The first bit after the unit's header says that a picture begins.
                if kind in _PICTURE and data[place + 5] & 128:
                    if kind in _ALONE or not pictures:
                        keys.append(len(pictures))
                    pictures.append(begins if begins >= 0 else place)
                if kind in _PICTURE:
                    begins = -1
                place = after
        if not pictures or not sets:
            raise BadData(
                f"{self.path}: expected a raw HEVC stream, found no pictures in it. It is of "
                "another format or damaged; fetch it again."
            )
        return np.array(keys), np.array(pictures), b"".join(sets)
