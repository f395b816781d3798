"""Fetch what a robot sees from its worker, for a page that somebody looks at."""

from collections import deque
from collections.abc import Callable, Mapping
from queue import Empty, SimpleQueue

import numpy as np

from octoverse.servers.backend_messages import Picture, Show, Shown, encode
from octoverse.servers.roster import Roster, Worker
from octoverse.servers.together import SEATS

_PATIENCE_S = 1.0
_WAITING = 64
"""Questions that wait for an answer; older ones are given up."""
_SIDE = 320
"""Of a picture on its way, at most [pixels]."""

Pictures = Mapping[str, np.ndarray]
"""Camera to uint8 (height, width, 3)."""


class PictureDesk:
    """Asks workers for pictures, and hands them out.

    Args:
        ring: Wakes the thread that has the sockets, which then calls `send`.
    """

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring
        self._asked: deque[tuple[int, int, SimpleQueue[Pictures]]] = deque(maxlen=_WAITING)
        self._waiting: deque[tuple[Worker, int, SimpleQueue[Pictures]]] = deque(maxlen=_WAITING)

    def ask(self, number: int) -> Pictures:
        """Give the newest images of a robot; none if its worker does not answer in a second.

        Args:
            number: Of the robot at the broker.
        """
        robot, seat = divmod(number, SEATS)
        answer: SimpleQueue[Pictures] = SimpleQueue()
        self._asked.append((seat, robot, answer))
        self._ring()
        try:
            return answer.get(timeout=_PATIENCE_S)
        except Empty:
            return {}

    def send(self, roster: Roster, to_worker: Callable[..., bool]) -> None:
        """Pass on what has been asked."""
        while self._asked:
            seat, robot, answer = self._asked.popleft()
            worker = next((w for w in roster.workers.values() if w.number == seat), None)
            if worker and to_worker(worker.route, b"", encode(Show(robot=robot))):
                self._waiting.append((worker, robot, answer))
            else:
                answer.put({})

    def take(self, worker: Worker, shown: Shown) -> None:
        """Hand out what a worker has shown.

        Raises:
            BadMessage: if it is no picture.
        """
        pictures = {name: picture.array() for name, picture in shown.pictures.items()}
        for waiting in list(self._waiting):
            asked, robot, answer = waiting
            if asked is worker and robot == shown.robot:
                self._waiting.remove(waiting)
                answer.put(pictures)


def show(robot: int, pictures: Pictures) -> Shown:
    """Make an answer of a worker's pictures, each small enough for a page."""
    small = {}
    for name, image in pictures.items():
        step = -(-max(image.shape[:2]) // _SIDE)
        thinned = image[::step, ::step]
        small[name] = Picture(shape=thinned.shape, data=thinned.tobytes())
    return Shown(robot=robot, pictures=small)
