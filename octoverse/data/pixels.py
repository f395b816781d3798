"""Convert the pixels of video frames in the thread that asks, always to the same bytes."""

from typing import Any


class PixelConverter:
    """Converts frames to one pixel format.

    From version 17 on PyAV's conversion begins threads of its own unless told otherwise: they hang
    when they are freed after a fork.

    Args:
        kind: Such as rgb24 or yuv420p, as FFmpeg calls it.
    """

    def __init__(self, kind: str) -> None:
        import av
        from av.video.reformatter import VideoReformatter

        self._reformatter, self._kind = VideoReformatter(), kind
        threaded = int(av.__version__.partition(".")[0]) >= 17
        self._settings = {"threads": 1} if threaded else {}

    def __call__(self, frame: Any) -> Any:
        """The same picture in this format."""
        return self._reformatter.reformat(frame, format=self._kind, **self._settings)
