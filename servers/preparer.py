"""Look at frames, decode and resize images in threads of their own.

What lately took less time than handing it to another thread is done on the spot.
"""

import queue
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from octoverse import wire
from octoverse.embodiment import Embodiment, stream_shape
from octoverse.errors import BadMessage, SpecMismatch
from octoverse.packing import Jpeg
from octoverse.servers.robots import Robot
from octoverse.wire import Limits

Arrays = Mapping[str, np.ndarray | Jpeg]
_QUICK_S = 0.0005
"""A robot's messages are handed over only if its last two took longer than this."""


class Preparer:
    """Works off what robots sent: each robot's messages in order, robots in turn.

    Args:
        work: Is called with a robot and one of its messages; must not raise.
        limits: Bound what may wait for one robot.
        threads: How many messages, of different robots, are worked on at once.
    """

    def __init__(
        self, work: Callable[[Robot, Any], None], limits: Limits, threads: int = 2
    ) -> None:
        self._work, self._limits = work, limits
        self._line: queue.SimpleQueue[Robot | None] = queue.SimpleQueue()
        self._closing = False
        self._threads = [
            threading.Thread(target=self._run, name=f"prepare-{i}", daemon=True)
            for i in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def put(self, robot: Robot, message: Any, size: int) -> bool:
        """Add a message of so many bytes.

        Returns:
            Whether there was room.
        """
        with robot.lock:
            if robot.busy or robot.prepared_s >= _QUICK_S:
                if not robot.accept(message, size, self._limits):
                    return False
                if not robot.busy:
                    robot.busy = True
                    self._line.put(robot)
                return True
            robot.busy = True
        self._do(robot, message)
        return True

    def close(self, within_s: float = 5.0) -> None:
        """Work off what has come, for so long at most, and end the threads."""
        until = time.monotonic() + within_s
        if not self._closing:
            self._closing = True
            self._line.put(None)
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    def _run(self) -> None:
        while (robot := self._line.get()) is not None or not self._line.empty():
            if robot is None:
                self._line.put(None)  # the last word stays behind all that come again
                continue
            with robot.lock:
                message = robot.take()
            self._do(robot, message)
        self._line.put(None)

    def _do(self, robot: Robot, message: Any) -> None:
        """Work on one message of a busy robot, which stands in line again if there are more."""
        began = time.monotonic()
        self._work(robot, message)
        took = time.monotonic() - began
        # Of two, since one may have taken long only because the machine was busy.
        robot.prepared_s, robot.took_s = min(took, robot.took_s), took
        with robot.lock:
            robot.busy = bool(robot.inbox)
            if robot.busy:
                self._line.put(robot)


def frame_of(message: wire.Observe, arrays: Arrays, body: Embodiment) -> dict[str, Any]:
    """Read what a robot saw; images are decoded once their shape is known to be right.

    Raises:
        BadMessage: if an image cannot be decoded, or words and an array have one name.
        SpecMismatch: if an image has another shape than the body's.
    """
    frame: dict[str, Any] = dict(message.words)
    for name, array in arrays.items():
        if name in frame:
            raise BadMessage(f"'{name}': expected words or an array, got both.")
        if isinstance(array, Jpeg) and name in body.observation:
            shape = stream_shape(body.observation[name])
            if array.shape != shape:
                raise SpecMismatch(
                    f"{body.name}.{name}: expected shape {shape}, got {array.shape}."
                )
            frame[name] = array.decode()
        else:
            frame[name] = array
    return frame
