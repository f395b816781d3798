"""A worker: a policy whose robots come through a broker (broker.py), on this machine or another.

It finds its broker again by itself, and keeps its sessions meanwhile.
"""

import logging
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import numpy as np
import zmq

from octoverse import wire
from octoverse.errors import BadMessage
from octoverse.packing import packed
from octoverse.servers.backend_messages import Beat, Show, encode, read_broker, write_status
from octoverse.servers.keys import ClientKeys
from octoverse.servers.lifeline import when_cut
from octoverse.servers.pictures import show
from octoverse.servers.service import Service
from octoverse.servers.signals import end_asked, wait
from octoverse.servers.uplink import Uplink

logger = logging.getLogger(__name__)

_BEAT_MS = 500
_EXPIRE_EVERY_S = 1.0
_SILENT_S = 2.0
"""A broker that has not been heard of for so long is said to be away."""


class Worker:
    """Serves robots that a broker sends, until stopped.

    Args:
        service: What answers them; started and stopped with the worker.
        address: Where the broker expects workers.
        name: Tells workers apart; made at random if not given.
        keys: What the broker knows this worker by, if it asks for keys.
    """

    def __init__(
        self, service: Service, address: str, *, name: str = "", keys: ClientKeys | None = None
    ) -> None:
        self._keys = keys
        self.service, self.address, self.name = service, address, name or secrets.token_hex(4)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="socket", daemon=True)

    def start(self) -> "Worker":
        """Join the broker, now or whenever it is there, and serve in threads of its own.

        Raises:
            ServerError: if the address is none.
        """
        self._uplink = Uplink(self.address, self.service.limits.message_bytes, self._keys)
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
        self._uplink.wake()
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
            self._uplink.close()

    def _serve(self) -> None:
        expired = beaten = time.monotonic()
        while not self._stopping.is_set():
            frames = self._uplink.receive()
            if frames is None:
                self._uplink.wait(_BEAT_MS)
            else:
                self._take(frames)
            now = time.monotonic()
            if now - beaten >= _BEAT_MS / 1000:
                beaten = now
                self._look(now)
                if not self._uplink.behind:  # or it would wait behind answers, which tell as much
                    self._beat()
            if now - expired >= _EXPIRE_EVERY_S:
                expired = now
                self.service.expire()

    def _take(self, frames: list[zmq.Frame]) -> None:
        """Take one message: a robot's, or the broker's own."""
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
            self._uplink.send(b"", encode(show(message.robot, pictures)))

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
            status=write_status(replace(status, unsent=self._uplink.unsent)),
        )
        self._uplink.send(b"", encode(beat))

    def _reply(self, route: bytes, message: wire.Reply, arrays: Mapping[str, np.ndarray]) -> None:
        """Send an answer to a robot, from any thread."""
        self._uplink.send(route, *packed(message, arrays))
