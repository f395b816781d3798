"""Decode and resize images in threads, off the socket's thread and off the policy's.

What lately took less time than handing it to another thread is done on the spot.
"""

import queue
import threading
import time
from collections.abc import Callable
from typing import Any

from octoverse.servers.robots import Robot
from octoverse.wire import Limits

_QUICK_S = 0.0005
"""A robot's messages are handed over only if its last one took longer than this."""


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
            if not robot.accept(message, size, self._limits):
                return False
            if robot.busy:
                return True
            robot.busy = True
        if robot.prepared_s < _QUICK_S:
            self._advance(robot)
        else:
            self._line.put(robot)
        return True

    def close(self) -> None:
        """Finish what has begun and end the threads."""
        for _ in self._threads:
            self._line.put(None)
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while (robot := self._line.get()) is not None:
            self._advance(robot)

    def _advance(self, robot: Robot) -> None:
        """Work on one message, and stand in line again if there are more."""
        with robot.lock:
            message = robot.take()
        began = time.monotonic()
        self._work(robot, message)
        robot.prepared_s = time.monotonic() - began
        with robot.lock:
            robot.busy = bool(robot.inbox)
            if robot.busy:
                self._line.put(robot)
