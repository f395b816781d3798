"""A worker: a policy whose robots come through a broker (broker.py), on this machine or another.

It finds its broker again by itself, and keeps its sessions meanwhile.
"""

import logging
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import zmq

from octoverse import wire
from octoverse.errors import BadMessage, ServerError
from octoverse.packing import packed
from octoverse.servers.backend_messages import Beat, Show, encode, read_broker, write_status
from octoverse.servers.bell import Bell
from octoverse.servers.lifeline import when_cut
from octoverse.servers.pictures import show
from octoverse.servers.service import Service
from octoverse.servers.signals import end_asked, wait

logger = logging.getLogger(__name__)

_BEAT_MS = 500
_EXPIRE_EVERY_S = 1.0
_SILENT_S = 2.0
"""A broker that has not been heard of for so long is said to be away."""
_AT_A_TIME = 64
_WAITING = 64
"""Messages from and to the broker that wait."""
_OUTBOX = 4096
"""Answers that wait for a broker; older ones are of no use any more."""
_RECONNECT_MS = 100
_LAST_WORDS_MS = 1000


class Worker:
    """Serves robots that a broker sends, until stopped.

    Args:
        service: What answers them; started and stopped with the worker.
        address: Where the broker expects workers.
        name: Tells workers apart; made at random if not given.
    """

    def __init__(self, service: Service, address: str, *, name: str = "") -> None:
        self.service, self.address, self.name = service, address, name or secrets.token_hex(4)
        self.unsent = 0
        """Answers that were given up because the broker was away for too long."""
        self._outbox: deque[tuple[Any, ...]] = deque()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="socket", daemon=True)

    def start(self) -> "Worker":
        """Join the broker, now or whenever it is there, and serve in threads of its own.

        Raises:
            ServerError: if the address is none.
        """
        self._context = zmq.Context()
        self._socket: zmq.Socket[bytes] = self._context.socket(zmq.DEALER)
        for option, value in {
            zmq.MAXMSGSIZE: self.service.limits.message_bytes,
            zmq.RCVHWM: _WAITING,
            zmq.SNDHWM: _WAITING,
            zmq.IMMEDIATE: 1,
            zmq.RECONNECT_IVL: _RECONNECT_MS,
            zmq.HEARTBEAT_IVL: 1000,
            zmq.HEARTBEAT_TIMEOUT: 5000,
            zmq.LINGER: _LAST_WORDS_MS,
        }.items():
            self._socket.setsockopt(option, value)
        try:
            self._socket.connect(self.address)
        except zmq.ZMQError as error:
            self._context.destroy(linger=0)
            raise ServerError(
                f"join: expected a broker's address such as tcp://127.0.0.1:5556, "
                f"got {self.address} ({error.strerror})."
            ) from error
        self._bell = Bell()
        self.service.start()
        self._heard = time.monotonic()
        self._away = self._leaving = False
        self._beat()
        self._thread.start()
        logger.info("worker %s: %s, for %s", self.name, self.service.policy.model, self.address)
        return self

    def stop(self) -> None:
        """Tell the broker, answer what was taken, and close."""
        if self._thread.ident is None or self._stopping.is_set():
            return
        self._leaving = True
        self._beat()
        self.service.stop()
        self._stopping.set()
        self._bell.ring()
        self._thread.join()

    def run(self, started: Callable[[], None] = lambda: None) -> None:
        """Serve until SIGINT or SIGTERM, or until the process that started this one ends.

        Args:
            started: Is called once it serves.

        Raises:
            ServerError: if the address is none, or the socket breaks.
        """
        with end_asked() as asked, self:
            when_cut(asked.set)
            started()
            wait(asked, self._thread.is_alive)

    def __enter__(self) -> "Worker":
        return self.start()

    def __exit__(self, *error: object) -> None:
        self.stop()

    def _run(self) -> None:
        try:
            self._serve()
        except Exception:
            logger.exception("the worker's socket broke")
        finally:
            self._context.destroy(linger=_LAST_WORDS_MS)
            self._bell.close()

    def _serve(self) -> None:
        poller = zmq.Poller()
        poller.register(self._bell, zmq.POLLIN)
        expired = beaten = time.monotonic()
        while not self._stopping.is_set():
            blocked = zmq.POLLOUT if self._outbox else 0
            poller.register(self._socket, zmq.POLLIN | blocked)
            ready = dict(poller.poll(_BEAT_MS))
            if self._bell.fileno() in ready:
                self._bell.silence()
            self._write()
            for _ in range(_AT_A_TIME):
                if not int(self._socket.getsockopt(zmq.EVENTS)) & zmq.POLLIN:
                    break
                self._read()
                self._write()
            now = time.monotonic()
            if now - beaten >= _BEAT_MS / 1000:
                beaten = now
                self._look(now)
                if not self._outbox:  # or it would wait behind answers, which tell as much
                    self._beat()
            if now - expired >= _EXPIRE_EVERY_S:
                expired = now
                self.service.expire()
        self._write()

    def _read(self) -> None:
        """Take one message: a robot's, or the broker's own."""
        frames = self._socket.recv_multipart(copy=False)
        if len(frames) == 2:
            self._hear(frames[1].bytes)
        elif len(frames) == 4:
            route, peer, header = (frame.bytes for frame in frames[:3])
            reply = partial(self._reply, route)
            try:
                self.service.receive(header, frames[3].buffer, reply, peer.decode())
            except Exception:
                logger.exception("a message could not be handled")
                self.service.refuse(reply, "message: expected one that can be handled.")
        else:
            logger.warning("the broker sent %d frames, expected 2 or 4", len(frames))

    def _hear(self, data: bytes) -> None:
        try:
            message = read_broker(data)
        except BadMessage as error:
            logger.warning("the broker: %s", error)
            return
        self._heard = time.monotonic()
        if self._away:
            self._away = False
            logger.warning("the broker is back at %s", self.address)
        if isinstance(message, Show):
            pictures = self.service.pictures(message.robot)
            self._post(b"", encode(show(message.robot, pictures)))

    def _look(self, now: float) -> None:
        """Say so if the broker is away."""
        if now - self._heard > _SILENT_S and not self._away:
            self._away = True
            logger.warning(
                "%s: the broker is away; it keeps %d robots and goes on trying",
                *(self.address, len(self.service.robots)),
            )

    def _beat(self) -> None:
        """Tell the broker what there is to know."""
        status = self.service.status()
        beat = Beat(
            name=self.name,
            sessions=tuple(robot.id for robot in self.service.robots),
            leaving=self._leaving,
            model=status.model,
            bodies=status.bodies,
            queue=status.queue,
            load=status.load,
            healthy=status.healthy,
            status=write_status(status),
        )
        self._post(b"", encode(beat))

    def _reply(self, route: bytes, message: wire.Reply, arrays: Mapping[str, np.ndarray]) -> None:
        """Send an answer to a robot, from any thread."""
        self._post(route, *packed(message, arrays))

    def _post(self, *frames: Any) -> None:
        self._outbox.append(frames)
        if threading.current_thread() is not self._thread:
            self._bell.ring()

    def _write(self) -> None:
        while self._outbox:
            first, *rest = self._outbox[0]
            try:
                self._socket.send(first, zmq.NOBLOCK | zmq.SNDMORE)
            except zmq.Again:
                break  # the broker is away or behind
            self._outbox.popleft()
            for frame in rest[:-1]:
                self._socket.send(frame, zmq.SNDMORE)
            self._socket.send(rest[-1], copy=False)
        while len(self._outbox) > _OUTBOX:
            self._outbox.popleft()
            self.unsent += 1
