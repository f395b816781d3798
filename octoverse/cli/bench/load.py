"""Clients that ask a policy server for actions, as often as they are told to.

A client that waits for its answer leaves the processor to others, but packing a frame and reading
an answer do not: so there is a process for every core, at most, and in each a thread per client.
"""

import contextlib
import queue
import threading
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import msgspec
import numpy as np

from octoverse.embodiment import Embodiment
from octoverse.errors import OctoverseError, RemoteError, ServerUnreachable
from octoverse.packing import Jpeg
from octoverse.servers.client import Client
from octoverse.synthetic import random_frame

LOST = "lost"
"""Of a request that was not answered in time."""
_TELL_EVERY_S = 0.25
_PAUSE_S = 0.05
"""After a fault that does not say when to ask again."""
_FRAMES = 4
"""Random frames of one client, sent in turns: making one takes longer than sending it."""


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What a server is to bear."""

    address: str
    body: Embodiment
    clients: int
    seconds: float
    rate: float | None
    """Requests of one client in a second; None for as many as are answered."""
    jpeg_quality: int | None
    """None to send images as they are."""
    timeout: float
    """How long a client waits for an answer [s]."""


class Outcome(NamedTuple):
    """What became of one request."""

    client: int
    fault: str
    """Its code, or LOST; "" of an answer."""
    total_ms: float = 0.0
    """From asking until the answer was read."""
    server_ms: float = 0.0
    """From receipt to answer."""
    prepared_ms: float = 0.0
    queued_ms: float = 0.0
    inference_ms: float = 0.0
    batch: int = 0
    sent: int = 0
    """Bytes of arrays, as they were sent."""
    received: int = 0


class Failed(NamedTuple):
    """A client cannot ask at all."""

    words: str


class Shift:
    """The clients of one process.

    Args:
        load: What they do.
        clients: Their numbers.
    """

    def __init__(self, load: Load, clients: Sequence[int]) -> None:
        self.said: queue.SimpleQueue[Outcome | Failed] = queue.SimpleQueue()
        self.stop = threading.Event()
        self._load = load
        self._here: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._begun, self._begin = threading.Event(), 0.0
        self._threads = [
            threading.Thread(target=self._play, args=(number,), daemon=True) for number in clients
        ]
        for thread in self._threads:
            thread.start()

    @property
    def busy(self) -> bool:
        """Whether any of them is still at work."""
        return any(thread.is_alive() for thread in self._threads)

    def gather(self) -> None:
        """Wait until all of them have been welcomed, or have said why not."""
        for _ in self._threads:
            self._here.get()

    def begin(self, at: float) -> None:
        """Let them ask from this monotonic time on [s]."""
        self._begin = at
        self._begun.set()

    def close(self) -> None:
        """End what they do."""
        self.stop.set()
        self._begun.set()
        for thread in self._threads:
            thread.join()

    def _play(self, number: int) -> None:
        load, random = self._load, np.random.default_rng(number)
        try:
            with Client(
                load.address,
                load.body,
                timeout=load.timeout,
                name=f"bench {number}",
                jpeg_quality=load.jpeg_quality,
            ) as client:
                frames = [random_frame(load.body, random) for _ in range(_FRAMES)]
                sizes = [_size(frame, load.jpeg_quality) for frame in frames]
                with contextlib.suppress(RemoteError, ServerUnreachable):  # or it will be told
                    client.act(frames[0])  # the first one may be slow, and does not count
                self._here.put(number)
                self._begun.wait()
                self._ask(client, number, frames, sizes, float(random.random()))
        except OctoverseError as error:
            self.said.put(Failed(str(error)))
            self._here.put(number)

    def _ask(
        self, client: Client, number: int, frames: list[Any], sizes: list[int], phase: float
    ) -> None:
        """Ask until the time is over; a turn that came while waiting for an answer is left out."""
        every = 0.0 if self._load.rate is None else 1 / self._load.rate
        turn, end, count = self._begin + phase * every, self._begin + self._load.seconds, 0
        self.stop.wait(self._begin - time.monotonic())
        while not self.stop.wait(max(0.0, turn - time.monotonic())) and turn < end:
            outcome, pause = _asked(client, number, frames[count % _FRAMES], sizes[count % _FRAMES])
            if time.monotonic() > end:
                return
            self.said.put(outcome)
            turn, count = max(turn + every, time.monotonic() + pause), count + 1


def work(line: Connection, load: Load, clients: Sequence[int]) -> None:
    """Be one process of clients: says that all are here, waits for the beginning, tells outcomes.

    Args:
        line: To the one that counts. It says when to begin, and anything else to stop.
        load: What the clients do.
        clients: Their numbers.
    """
    shift = Shift(load, clients)
    try:
        shift.gather()
        line.send(_said(shift))
        shift.begin(line.recv())
        while shift.busy:
            if line.poll(_TELL_EVERY_S):
                line.recv()
                shift.close()
            line.send(_said(shift))
        line.send(_said(shift))
        line.send(None)
    except (EOFError, OSError):
        pass  # nobody counts any more
    finally:
        shift.close()


def _said(shift: Shift) -> list[Outcome | Failed]:
    return [shift.said.get() for _ in range(shift.said.qsize())]


def _asked(client: Client, number: int, frame: Any, size: int) -> tuple[Outcome, float]:
    """Ask once; what came of it, and for how long the client had better be silent [s]."""
    try:
        chunk = client.act(frame)
    except RemoteError as error:
        return Outcome(number, error.code), error.retry_after or _PAUSE_S
    except ServerUnreachable:
        return Outcome(number, LOST), 0.0
    assert client.last_timing is not None
    server = client.last_timing.server
    answer = Outcome(
        number,
        "",
        client.last_timing.total_ms,
        server.total_ms,
        server.prepared_ms,
        server.queued_ms,
        server.inference_ms,
        server.batch,
        size,
        sum(values.nbytes for values in chunk.action.values()),
    )
    return answer, 0.0


def _size(frame: Any, jpeg_quality: int | None) -> int:
    """Bytes of a frame's arrays as they are sent."""
    arrays = [np.asarray(value) for value in frame.values() if not isinstance(value, str)]
    if jpeg_quality is None:
        return sum(array.nbytes for array in arrays)
    return sum(
        len(Jpeg.encode(array, jpeg_quality).data) if array.dtype == np.uint8 else array.nbytes
        for array in arrays
    )
