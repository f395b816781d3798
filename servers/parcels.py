"""Lay the frames of one body into messages, in memory that is used again."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import zmq

from octoverse.embodiment import Camera, Embodiment, GoalImage, Instruction
from octoverse.packing import Jpeg, fill, place
from octoverse.wire import ArraySpec


class Parcels:
    """Makes the bodies of messages, one at a time.

    libzmq sends from the very memory that a frame was written to, and says nothing when it is done.
    So the memory is written to again only when the message has been answered, for the server has
    read all of it then; otherwise the next one gets memory of its own.

    Args:
        body: Whose frames they are.
        jpeg_quality: 1 to 100 to compress images, None to send them as they are.
    """

    def __init__(self, body: Embodiment, jpeg_quality: int | None) -> None:
        streams = body.observation.items()
        self._words = {name for name, s in streams if isinstance(s, Instruction)}
        self._images = {name for name, s in streams if isinstance(s, Camera | GoalImage)}
        self._quality = jpeg_quality
        self._names: tuple[str, ...] | None = None
        self._specs: tuple[ArraySpec, ...] = ()
        self._size = -1
        self._lent = True

    def wrap(
        self, frame: Mapping[str, Any], times: Mapping[str, int] | None = None
    ) -> tuple[tuple[ArraySpec, ...], dict[str, str], zmq.Frame]:
        """Lay a frame, in the types that the wire holds, into a body.

        Args:
            frame: What was seen.
            times: When single streams were seen [ns], where that is not when the frame was.

        Returns:
            Where the arrays lie, instructions by name, and the body.
        """
        words: dict[str, str] = {}
        arrays: dict[str, np.ndarray | Jpeg] = {}
        for name, value in frame.items():
            if name in self._words:
                words[name] = value
            elif self._quality is not None and name in self._images:
                arrays[name] = Jpeg.encode(value, self._quality)
            else:
                arrays[name] = value
        names = tuple(arrays)
        if self._quality is not None or times or names != self._names:
            self._specs, size = place(arrays, times)
            self._names = None if times else names
        else:
            size = self._size
        if self._lent or size != self._size:
            self._body = zmq.Frame(bytes(size), copy=True)
            self._size = size
        fill(self._body.buffer, self._specs, arrays)
        self._lent = True
        return self._specs, words, self._body

    def answered(self) -> None:
        """Note that the last message has been answered."""
        self._lent = False
