"""Write the frames of many episodes into one video file, as LeRobot lays them out."""

import io
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from octoverse.data.lerobot import format as form
from octoverse.data.lerobot.segment import Segment, encode_segment, frame_rate
from octoverse.errors import BadData

SHARE = 20
"""A video is taken to be this much smaller than its pictures, for the size of files: what it really
is, is known only when it is complete."""


class VideoWriter:
    """One video file that grows frame by frame and appears, whole, when it is closed.

    Args:
        path: Where it is to be.
        hz: Frames per second.
        kind: How it is encoded.
    """

    def __init__(self, path: Path, hz: float, kind: form.VideoFormat) -> None:
        self.path, self.frames = path, 0
        self._hz, self._kind = frame_rate(hz), kind
        self._waiting = path.with_name(f".{path.name}.part")
        self._container: Any = None
        self._stream: Any = None
        self._shape: tuple[int, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """(h, w, 3) of every frame; empty before the first one."""
        return self._shape

    @property
    def seconds(self) -> float:
        """Length so far [s]."""
        return float(self.frames / self._hz)

    def add(self, images: Iterable[bytes | np.ndarray]) -> None:
        """Append the frames of an episode: encoded images, uint8 (h, w, 3) RGB, or a Segment.

        Raises:
            BadData: if an image has another size than the first, or one that cannot be encoded.
        """
        if isinstance(images, Segment):
            segment = images
        else:
            segment = encode_segment(images, float(self._hz), self._kind, str(self.path))
        self._shape = self._shape or segment.shape
        if segment.shape != self._shape:
            raise BadData(
                f"{self.path}: expected images of the shape {self._shape}, got {segment.shape}. "
                "All images of one camera have one size; resize them before."
            )
        self._append(segment)

    def info(self) -> dict[str, Any]:
        """What LeRobot's info.json tells of a video feature."""
        return {
            "video.height": self._shape[0],
            "video.width": self._shape[1],
            "video.codec": self._stream.codec_context.codec.canonical_name,
            "video.pix_fmt": "yuv420p",
            "video.is_depth_map": False,
            "video.fps": int(self._hz) if self._hz.denominator == 1 else float(self._hz),
            "video.channels": 3,
            "has_audio": False,
        }

    def close(self) -> None:
        """Bring the whole file to disk under its name."""
        self._container.close()
        with self._waiting.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(self._waiting, self.path)

    def _append(self, segment: Segment) -> None:
        import av

        given: Any = av.open(io.BytesIO(segment.mp4))
        with given:
            stream = given.streams.video[0]
            if self._container is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                # A new file: a writer that was given up may still have the old one open.
                self._waiting.unlink(missing_ok=True)
                self._container = av.open(
                    str(self._waiting), "w", format="mp4", options={"fflags": "+bitexact"}
                )
                self._stream = self._container.add_stream_from_template(stream, opaque=True)
                self._stream.time_base = 1 / self._hz
            tick = stream.time_base * self._hz
            for packet in given.demux(stream):
                if packet.dts is None:
                    continue
                packet.pts = self.frames + round(packet.pts * tick)
                packet.dts = self.frames + round(packet.dts * tick)
                packet.duration = 1
                packet.time_base, packet.stream = 1 / self._hz, self._stream
                self._container.mux(packet)
        self.frames += segment.frames


class Films:
    """The open video files of a recording, one for every camera.

    Args:
        folder: The recording's.
        hz: Frames per second.
        kind: How they are encoded.
    """

    def __init__(self, folder: Path, hz: float, kind: form.VideoFormat) -> None:
        self._folder, self._hz, self._kind = folder, hz, kind
        self._open: dict[str, VideoWriter] = {}

    @property
    def nbytes(self) -> int:
        """About how large the open files will be, the same for the same episodes."""
        return sum(
            one.frames * one.shape[0] * one.shape[1] * 3 // SHARE for one in self._open.values()
        )

    def add(
        self, images: Mapping[str, Sequence[bytes | np.ndarray]], file: int
    ) -> dict[str, float]:
        """Append the frames of one episode to the files of a number.

        Returns:
            Columns of the episodes' table: where the episode begins and ends in them [s].
        """
        found: dict[str, float] = {}
        for key, frames in images.items():
            if key not in self._open:
                path = self._folder / form.VIDEO.format(video_key=key, **form.place(file))
                self._open[key] = VideoWriter(path, self._hz, self._kind)
            found[f"videos/{key}/from_timestamp"] = self._open[key].seconds
            self._open[key].add(frames)
            found[f"videos/{key}/to_timestamp"] = self._open[key].seconds
        return found

    def close(self) -> dict[str, dict[str, Any]]:
        """Bring the open files to disk; what info.json tells of each feature."""
        told = {}
        for key, video in self._open.items():
            told[key] = video.info()
            video.close()
        self._open = {}
        return told
