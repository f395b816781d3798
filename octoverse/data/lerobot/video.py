"""Frames of video files by their number: exact, cheap at random, decoded as they are asked for.

A frame is found by its place in the order of presentation, never by a tolerance in time: recorded
clocks are irregular. Every process opens its own decoders.
"""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from octoverse.data.kept import SOURCES, File, file_key
from octoverse.data.pixels import PixelConverter
from octoverse.errors import BadData

_PICTURES = 12
"""A decoder is taken to hold as many pictures."""


@dataclass(frozen=True, kw_only=True)
class VideoIndex:
    """What one pass over a file's packets tells."""

    times: np.ndarray
    """int64 (n,), increasing: when each frame is shown, in ticks."""
    tick: float
    """Length of a tick [s]."""
    keys: np.ndarray
    """int64 (k,), increasing: frames that can be decoded by themselves."""
    starts: np.ndarray
    """int64 (k,): what to seek for to decode from each of them, in ticks."""

    def __len__(self) -> int:
        return len(self.times)

    @property
    def seconds(self) -> np.ndarray:
        """float64 (n,): when each frame is shown, from the first one on [s]."""
        return (self.times - self.times[0]) * self.tick

    def first(self, start: float) -> int:
        """The frame shown at `start` [s], give or take half a frame."""
        half = float(np.median(np.diff(self.seconds))) / 2 if len(self) > 1 else 0.0
        return int(np.searchsorted(self.seconds, start - half))


def index(path: Path) -> VideoIndex:
    """The index of a file.

    Raises:
        BadData: if it is missing or no video.
    """
    return _index_of(_file(path))


def frame(path: Path, number: int) -> np.ndarray:
    """One frame by its number, uint8 (h, w, 3), RGB.

    Raises:
        BadData: if the file is missing or damaged, or has no such frame.
    """
    return decoder(path).frame(number)


def decoder(path: Path) -> "Decoder":
    """An open file, kept for the frames that follow.

    Raises:
        BadData: if it is missing or no video.
    """
    file = _file(path)
    return SOURCES.get(("decoder", file), lambda: Decoder(file), lambda found: found.nbytes)


class Decoder:
    """One open file; frames that follow each other are decoded without seeking."""

    def __init__(self, file: File) -> None:
        self._path, self._index = file[0], _index_of(file)
        self._container = _open(self._path)
        self._stream = self._container.streams.video[0]
        # One thread: more begin on frames that a window does not show.
        self._stream.codec_context.thread_count = 1
        self._to_rgb = PixelConverter("rgb24")
        self._frames: Iterator[Any] = iter(())
        self._next: int | None = None
        self._lock = threading.Lock()

    @property
    def nbytes(self) -> int:
        """Memory that it is taken to need."""
        return int(self._stream.width * self._stream.height * 1.5) * _PICTURES

    def frame(self, number: int) -> np.ndarray:
        """One frame by its number."""
        if not 0 <= number < len(self._index):
            raise BadData(
                f"{self._path}: expected frame {number}, the video has {len(self._index)} frames. "
                "It is shorter than its table; fetch it again."
            )
        with self._lock:
            found = self._decode(number)
            picture: np.ndarray = self._to_rgb(found).to_ndarray()
            return picture

    def _decode(self, number: int) -> Any:
        import av

        place = int(np.searchsorted(self._index.keys, number, side="right")) - 1
        from_key = int(self._index.keys[max(place, 0)])
        here, self._next = self._next, None
        why: object = "a stream that ends before it"
        try:
            if here is None or not from_key <= here <= number:
                start = int(self._index.starts[max(place, 0)])
                self._container.seek(start, stream=self._stream, backward=True)
                self._frames = self._container.decode(self._stream)
            for found in self._frames:
                shown = -1 if found.pts is None else int(found.pts)
                if shown < self._index.times[number]:
                    continue
                if shown == self._index.times[number] and not found.is_corrupt:
                    self._next = number + 1
                    return found
                why = "a damaged frame" if found.is_corrupt else "a later one"
                break
        except (av.FFmpegError, OSError) as error:
            why = error
        raise BadData(
            f"{self._path}: expected frame {number} of {len(self._index)}, got {why}. The video is "
            "damaged; fetch it again."
        )


def _file(path: Path) -> File:
    try:
        return file_key(path)
    except OSError as error:
        raise BadData(
            f"{path}: expected a video, got: {error.strerror}. Fetch the missing file."
        ) from error


def _open(path: Path) -> Any:
    import av

    try:
        container = av.open(str(path))
    except (av.FFmpegError, OSError) as error:
        raise _unreadable(path, error) from error
    if not container.streams.video:
        raise _unreadable(path, "a file without a video stream")
    return container


def _unreadable(path: Path, why: object) -> BadData:
    return BadData(
        f"{path}: expected a video, got: {why}. It is damaged or was cut short; fetch it again."
    )


def _indexed(file: File) -> VideoIndex:
    import av

    path = file[0]
    with _open(path) as container:
        stream = container.streams.video[0]
        try:
            rows = [
                (packet.pts, packet.dts, packet.is_keyframe)
                for packet in container.demux(stream)
                if packet.size and not packet.is_discard
            ]
        except (av.FFmpegError, OSError) as error:
            raise _unreadable(path, error) from error
        tick = float(stream.time_base)
    if not rows or not rows[0][2] or any(None in row for row in rows):
        raise _unreadable(path, f"{len(rows)} packets, with no key frame first or without times")
    rows.sort()
    keys = [number for number, row in enumerate(rows) if row[2]]
    return VideoIndex(
        times=np.array([row[0] for row in rows], np.int64),
        tick=tick,
        keys=np.array(keys, np.int64),
        starts=np.array([rows[number][1] for number in keys], np.int64),
    )


def _index_of(file: File) -> VideoIndex:
    return SOURCES.get(
        ("video index", file),
        lambda: _indexed(file),
        lambda found: found.times.nbytes + 2 * found.keys.nbytes,
    )
