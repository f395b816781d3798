"""The frames of one camera of one episode, encoded as a video of their own.

Segments are made wherever there is a processor to spare, and joined into the files of a data set
without being decoded again.
"""

import io
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from octoverse.data.lerobot.format import VideoFormat
from octoverse.data.lerobot.stats import IMAGES_PER_EPISODE, picked
from octoverse.data.pixels import PixelConverter
from octoverse.errors import BadData
from octoverse.preprocess import decode

_PIXELS = "yuv420p"


@dataclass(frozen=True, kw_only=True)
class Segment(Sequence[Any]):
    """Encoded frames."""

    mp4: bytes
    frames: int
    shape: tuple[int, int, int]
    """(h, w, 3) of every frame."""
    looked: Mapping[int, np.ndarray] = field(default_factory=dict)
    """Frames as they were before, by index: those that statistics look at."""

    def __len__(self) -> int:
        return self.frames

    def __getitem__(self, index: Any) -> Any:
        return self.looked[index]


def encode_segment(
    images: Iterable[bytes | np.ndarray], hz: float, kind: VideoFormat, where: str = "A video"
) -> Segment:
    """Encode frames: encoded images, or uint8 (h, w, 3) RGB.

    Args:
        images: Taken one after the other.
        hz: Frames per second.
        kind: How they are encoded.
        where: What errors call it.

    Raises:
        BadData: if there is none, they differ in size, or cannot be encoded.
    """
    import av

    frames, rate = iter(images), frame_rate(hz)
    first = next(frames, None)
    if first is None:
        raise BadData(f"{where}: expected images to encode, got none.")
    image, count = _array(first), 0
    shape, file, looked = image.shape, io.BytesIO(), dict[int, np.ndarray]()
    total = len(images) if isinstance(images, Sequence) else 0
    wanted = set(picked(total, IMAGES_PER_EPISODE)) if total else {0}
    container, stream = _opened(file, shape, rate, kind, where)
    convert = PixelConverter(_PIXELS)
    while True:
        if image.shape != shape:
            raise BadData(
                f"{where}: expected images of the shape {shape}, got {image.shape}. "
                "All images of one camera have one size; resize them before."
            )
        if count in wanted:
            looked[count] = np.array(image)
        frame = convert(av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24"))
        frame.pts, frame.time_base = count, 1 / rate
        container.mux(stream.encode(frame))
        count += 1
        following = next(frames, None)
        if following is None:
            break
        image = _array(following)
    container.mux(stream.encode())
    container.close()
    return Segment(
        mp4=file.getvalue(), frames=count, shape=(shape[0], shape[1], shape[2]), looked=looked
    )


def frame_rate(hz: float) -> Fraction:
    """Frames per second, as containers tell it."""
    return Fraction(hz).limit_denominator(10_000)


def _array(image: bytes | np.ndarray) -> np.ndarray:
    return image if isinstance(image, np.ndarray) else decode(image)


def _opened(
    file: io.BytesIO, shape: tuple[int, ...], rate: Fraction, kind: VideoFormat, where: str
) -> tuple[Any, Any]:
    import av

    height, width = shape[:2]
    if height % 2 or width % 2:
        raise BadData(
            f"{where}: expected images of even height and width, got {height} x {width}: "
            "video stores colours for squares of two by two. Resize, or write images."
        )
    # SVT-AV1 tells its settings for every file unless told to speak of errors alone.
    os.environ.setdefault("SVT_LOG", "1")
    # Frames in the order they are shown (bf 0): segments of any length then join.
    options = {"g": str(kind.group), "crf": str(kind.quality), "bf": "0"}
    if kind.codec == "libx264":
        # What looks ahead in x264 now and then makes other bytes of the same frames.
        options["x264-params"] = "mbtree=0:weightp=0"
    try:
        container: Any = av.open(file, "w", format="mp4", options={"fflags": "+bitexact"})
        stream: Any = container.add_stream(kind.codec, rate, options=options)
        stream.width, stream.height = width, height
        stream.pix_fmt, stream.time_base = _PIXELS, 1 / rate
        stream.codec_context.open()
    except (av.FFmpegError, ValueError) as error:
        raise BadData(
            f"{where}: expected the encoder '{kind.codec}' for {height} x {width} images, got: "
            f"{error}. Choose another codec, or write images."
        ) from error
    return container, stream
