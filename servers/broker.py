"""Serve many robots with many workers: to robots a broker looks like one server.

One thread has both sockets and waits for nobody. Bodies are passed on as they lie in memory.
Workers (worker.py) keep the sessions and compute; a broker that dies takes no session with it.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import zmq

from octoverse.errors import ServerError
from octoverse.servers.address import bind, checked_address
from octoverse.servers.backstage import Backstage
from octoverse.servers.bell import Bell
from octoverse.servers.curve import NOT_ALLOWED, Curve
from octoverse.servers.guard import Guard
from octoverse.servers.pictures import PictureDesk
from octoverse.servers.roster import Worker
from octoverse.servers.signals import end_asked, wait
from octoverse.servers.switchboard import Switchboard
from octoverse.servers.together import BrokerStatus
from octoverse.wire import Limits

logger = logging.getLogger(__name__)

_AT_A_TIME = 64
"""Messages read from one side before the other is looked at."""
_TICK_MS = 250
_SETTLE_S = 1.5
"""What workers may take to come back to a broker that was started again."""
_FINISH_S = 10.0
"""What workers may take to answer what is under way when the broker stops."""
_LAST_WORDS_MS = 200
# As plain numbers: enumerations cost more than all else that is done with a message.
_COMES, _EVENTS = int(zmq.POLLIN), int(zmq.EVENTS)
_NOW, _MORE = int(zmq.NOBLOCK | zmq.SNDMORE), int(zmq.SNDMORE)


class Broker:
    """Passes robots' messages to workers, and their answers back, until stopped.

    Args:
        address: Where robots come.
        workers_at: Where workers come, as in ipc:///run/octoverse or tcp://127.0.0.1:5556.
        limits: What is refused.
        curve: Keys, and the clients that are let in; None lets in anybody on this machine.
        insecure: Let in robots from anywhere, unencrypted.
        workers_curve: Keys, and the workers that are let in (never the robots' list); None lets in
            any of this machine.

    Raises:
        ServerError: if other machines can reach an address that is for this one.
    """

    def __init__(
        self,
        address: str,
        workers_at: str,
        *,
        limits: Limits | None = None,
        curve: Curve | None = None,
        insecure: bool = False,
        workers_curve: Curve | None = None,
    ) -> None:
        self.address = checked_address(address, keys=curve is not None, insecure=insecure)
        self.limits = limits or Limits()
        self._curve = curve
        self._backstage = Backstage(workers_at, self.limits.message_bytes, workers_curve)
        self._unsent = 0
        self._guard = Guard(self.limits)
        self._desk = PictureDesk(lambda: self._bell.ring())
        self._board = Switchboard(
            self.limits, self._to_robot, self._to_worker, self._backstage.one_clock, self._desk.take
        )
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="broker", daemon=True)

    def start(self) -> "Broker":
        """Bind, and serve in a thread of its own.

        Raises:
            ServerError: if an address is in use.
        """
        self._context = zmq.Context()
        self._front: zmq.Socket[bytes] = self._context.socket(zmq.ROUTER)
        self._guard.limit(self._front)
        self._front.setsockopt(zmq.LINGER, _LAST_WORDS_MS)
        if self._curve is not None:
            self._curve.secure(self._front)
        try:
            bind(self._front, self.address)
            self._back = self._backstage.open()
        except ServerError:
            self._close(0)
            raise
        self._guard.start()
        self.address = self._front.getsockopt_string(zmq.LAST_ENDPOINT)
        self._bell = Bell()
        self._board.settled = time.monotonic() + _SETTLE_S
        self._thread.start()
        logger.info("serving at %s with the workers of %s", self.address, self.workers_at)
        return self

    def stop(self) -> None:
        """Wait for the answers under way, tell every robot that it is over, and close."""
        if self._thread.ident is None or self._stopping.is_set():
            return
        self._stopping.set()
        self._bell.ring()
        self._thread.join()

    def status(self) -> BrokerStatus:
        """Look at the live figures of all workers together, and of each."""
        return self._board.roster.status(
            address=self.address,
            uptime_s=time.monotonic() - self._board.began,
            faults=self._board.faults.counts,
            unsent=self._unsent,
            connections=self._guard.connections,
            cut=self._guard.cut,
        )

    def pictures(self, number: int) -> Mapping[str, np.ndarray]:
        """Newest images of the robot of this number, by camera; none if nobody has them."""
        return self._desk.ask(number)

    @property
    def workers_at(self) -> str:
        """Where workers find it."""
        return self._backstage.address

    @property
    def workers(self) -> Mapping[str, Worker]:
        """Those that have joined, by name."""
        return dict(self._board.roster.workers)

    def run(self, started: Callable[[], None] = lambda: None) -> None:
        """Serve until SIGINT or SIGTERM; call it from the main thread.

        Args:
            started: Is called once it listens, when the addresses are known.

        Raises:
            ServerError: if an address is in use, or a socket breaks.
        """
        with end_asked() as asked, self:
            started()
            wait(asked, self._thread.is_alive)

    def __enter__(self) -> "Broker":
        return self.start()

    def __exit__(self, *error: object) -> None:
        self.stop()

    def _run(self) -> None:
        try:
            self._serve()
        except Exception:
            logger.exception("the broker's sockets broke")
        finally:
            self._backstage.close(_LAST_WORDS_MS)
            self._close(_LAST_WORDS_MS)
            self._bell.close()

    def _close(self, linger_ms: int) -> None:
        self._guard.close()
        if self._curve is not None:
            self._curve.close()
        self._context.destroy(linger=linger_ms)

    def _serve(self) -> None:
        poller = zmq.Poller()
        for source in (self._front, self._back, self._backstage.ends, self._bell):
            poller.register(source, zmq.POLLIN)
        ticked, give_up = time.monotonic(), float("inf")
        while not self._board.closing or (self._board.unanswered and time.monotonic() < give_up):
            ready = dict(poller.poll(_TICK_MS))
            if self._bell.fileno() in ready:
                self._bell.silence()
                self._desk.send(self._board.roster, self._to_worker)
            self._read(self._back, self._from_worker)
            self._read(self._front, self._from_robot)
            if self._backstage.ends in ready:
                self._follow()
            if (now := time.monotonic()) - ticked > _TICK_MS / 1000:
                self._board.tick(now)
                ticked = now
            if self._stopping.is_set() and not self._board.closing:
                self._board.closing, give_up = True, now + _FINISH_S
        self._board.close("The server stops.")

    def _read(
        self, socket: "zmq.Socket[bytes]", take: Callable[[list[zmq.Frame], float], None]
    ) -> None:
        """Take what has come, up to a bound that leaves time for the others."""
        for _ in range(_AT_A_TIME):
            if not _comes(socket):
                return
            frames = socket.recv_multipart(copy=False)
            try:
                take(frames, time.monotonic())
            except Exception:
                logger.exception("a message could not be handled")

    def _from_robot(self, frames: list[zmq.Frame], now: float) -> None:
        self._guard.delivered(int(frames[1].get(zmq.SRCFD)), sum(map(len, frames)))
        route = frames[0].bytes
        peer = "" if self._curve is None else self._curve.peer(frames[1])
        if self._curve is not None and not peer:
            self._board.refuse(route, *NOT_ALLOWED)
        elif len(frames) == 3:
            self._board.from_robot(route, peer.encode(), frames[1].bytes, frames[2], now)
        else:
            words = f"message: expected 2 frames, got {len(frames) - 1}."
            self._board.refuse(route, words)

    def _from_worker(self, frames: list[zmq.Frame], now: float) -> None:
        at, *rest = frames
        if not self._backstage.lets_in(rest[0]):
            return
        fd = int(at.get(zmq.SRCFD))
        # The body of a robot's answer is passed on where it lies.
        parts: list[Any] = [frame.bytes for frame in rest[:2]] + rest[2:]
        self._board.from_worker(at.bytes, fd, parts, now)

    def _follow(self) -> None:
        """Give up workers whose connection has ended, once all that they said has been read."""
        for fd in self._backstage.ended():
            while _comes(self._back):
                self._read(self._back, self._from_worker)
            worker = self._board.roster.behind(fd)
            if worker is not None:
                self._board.gone(worker, "is gone")

    def _to_robot(self, route: bytes, header: bytes, body: Any) -> None:
        if not _send(self._front, route, header, body):
            self._unsent += 1

    def _to_worker(self, route: bytes, *frames: Any) -> bool:
        return _send(self._back, route, *frames)


def _comes(socket: "zmq.Socket[bytes]") -> bool:
    """Whether there is something to read."""
    return bool(int(socket.getsockopt(_EVENTS)) & _COMES)


def _send(socket: "zmq.Socket[bytes]", route: bytes, *frames: Any) -> bool:
    """Send a message unless its peer is gone or reads too slowly."""
    try:
        socket.send(route, _NOW)
    except zmq.ZMQError as error:
        if error.errno not in (zmq.EAGAIN, zmq.EHOSTUNREACH):
            raise
        return False
    for frame in frames[:-1]:
        socket.send(frame, _MORE)
    socket.send(frames[-1], copy=False)
    return True
