"""Serve clients of GR00T, unmodified: its requests and replies over ZeroMQ, over the same batcher.

Its own server answers one request after another; ours takes what many clients ask at once. One
thread has the socket and waits for nobody.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar

import numpy as np
import zmq

from octoverse.errors import BadMessage, OctoverseError, ServerError
from octoverse.servers import numpy_msgpack
from octoverse.servers.bell import Bell
from octoverse.servers.frontend import Frontend
from octoverse.servers.frontend_settings import Settings
from octoverse.servers.groot_dialects import Asked, Dialect, asked, modality_config
from octoverse.servers.guard import Guard
from octoverse.servers.guest import Guest
from octoverse.servers.service import Service

logger = logging.getLogger(__name__)

_EXPIRE_EVERY_S = 1
_LAST_WORDS_MS = 200
_ZIP = b"PK\x03\x04"
_Actions = Mapping[str, np.ndarray] | OctoverseError
_Answer = Callable[[Any], None]
"""Sends what is to be written as msgpack; called from any thread."""


class GrootSettings(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the file of a frontend for GR00T's clients says."""

    dialect: Dialect = "n1.6"
    """In which `get_modality_config` is answered; other questions tell it themselves."""


@dataclass
class _Peer:
    """One client: its robots, and when it was heard of."""

    robots: list[Guest] = field(default_factory=list)
    heard: float = 0.0


class _Round:
    """The answers to one message, until all its robots have theirs."""

    def __init__(self, question: Asked, done: _Answer) -> None:
        self._question, self._done = question, done
        self._answers: dict[int, _Actions] = {}
        self._lock = threading.Lock()

    def take(self, number: int, answer: _Actions) -> None:
        with self._lock:
            self._answers[number] = answer
            if len(self._answers) < len(self._question.robots):
                return
        answers = [self._answers[i] for i in range(len(self._answers))]
        faults = [str(answer) for answer in answers if isinstance(answer, OctoverseError)]
        actions = [answer for answer in answers if not isinstance(answer, OctoverseError)]
        self._done({"error": faults[0]} if faults else self._question.answer(actions))


class GrootFrontend(Frontend):
    """Serves GR00T's clients until stopped; see Frontend."""

    told_by: ClassVar[type[Settings]] = GrootSettings

    def __init__(self, service: Service, settings: GrootSettings) -> None:
        super().__init__(service, settings)
        self._peers: dict[bytes, _Peer] = {}
        """By route, the one heard of longest ago first."""
        self._guard = Guard(service.limits)
        self._outbox: deque[tuple[bytes, Any]] = deque()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="groot", daemon=True)

    def start(self) -> "GrootFrontend":
        """Listen, in a thread of its own.

        Raises:
            ServerError: if the address is not allowed, or the port is in use.
        """
        host, port = self.settings.place
        self._context = zmq.Context()
        self._socket: zmq.Socket[bytes] = self._context.socket(zmq.ROUTER)
        self._guard.limit(self._socket)
        self._socket.setsockopt(zmq.LINGER, _LAST_WORDS_MS)
        try:
            self._socket.bind(f"tcp://{host}:{port}")
        except zmq.ZMQError as error:
            self._guard.close()
            self._context.destroy(linger=0)
            raise ServerError(
                f"{self.address}: expected a free port, got: {error.strerror}. Stop the server "
                "that has it, or name another one in the frontend's file."
            ) from error
        self.address = self._socket.getsockopt_string(zmq.LAST_ENDPOINT).removeprefix("tcp://")
        self._guard.start()
        self._bell = Bell()
        self._thread.start()
        logger.info("GR00T's clients are served", extra={"address": self.address})
        return self

    def stop(self) -> None:
        """Let all clients go."""
        if self._thread.is_alive():
            self._stopping.set()
            self._bell.ring()
            self._thread.join()

    def _run(self) -> None:
        try:
            self._serve()
        except Exception:
            logger.exception("the socket broke")
        finally:
            self._stopping.set()
            for peer in self._peers.values():
                _leave(peer)
            self._guard.close()
            self._context.destroy(linger=_LAST_WORDS_MS)
            self._bell.close()

    def _serve(self) -> None:
        poller, expired = zmq.Poller(), time.monotonic()
        poller.register(self._socket, zmq.POLLIN)
        poller.register(self._bell, zmq.POLLIN)
        while not self._stopping.is_set():
            ready = dict(poller.poll(1000 * _EXPIRE_EVERY_S))
            if self._bell.fileno() in ready:
                self._bell.silence()
            if self._socket in ready:
                self._read()
            self._write()
            if (now := time.monotonic()) - expired > _EXPIRE_EVERY_S:
                self._expire(now)
                expired = now
        self._write()

    def _read(self) -> None:
        """Take one message from the socket."""
        route = self._socket.recv()
        frame, count = self._socket.recv(copy=False), 1
        size = len(frame)
        while frame.more:
            frame, count = self._socket.recv(copy=False), count + 1
            size += len(frame)
        self._guard.delivered(int(frame.get(zmq.SRCFD)), size)
        answer = partial(self._answer, route)
        try:
            if count != 2:
                raise BadMessage(
                    f"message: expected one frame from a REQ socket, got {count} frames."
                )
            self._handle(route, frame.buffer, answer)
        except OctoverseError as error:
            answer({"error": str(error)})
        except Exception:
            logger.exception("a message of GR00T's could not be handled")
            answer({"error": "message: expected one that can be handled."})

    def _handle(self, route: bytes, message: memoryview, answer: _Answer) -> None:
        if bytes(message[:4]) == _ZIP:
            raise BadMessage(
                "message: expected msgpack, got what torch.save writes, which is never opened. "
                "Use a client of GR00T N1.5 or later."
            )
        request = numpy_msgpack.read(message)
        if not isinstance(request, dict):
            raise BadMessage(f"message: expected a map, got a {type(request).__name__}.")
        token = request.get("api_token")
        if not self.settings.admits(token if isinstance(token, str) else ""):
            answer({"error": "Unauthorized: expected an api_token of the frontend's file."})
            return
        match request.get("endpoint", "get_action"):
            case "ping":
                answer({"status": "ok", "message": "Server is running"})
            case "get_modality_config":
                answer(modality_config(self.key_map, self.settings.dialect))
            case "reset":
                for guest in self._peer(route).robots:
                    guest.reset()
                answer({})
            case "get_action":
                self._ask(self._peer(route), request.get("data"), len(message), answer)
            case "kill":
                self._kill(answer)
            case other:
                raise BadMessage(
                    "endpoint: expected ping, get_action, reset, get_modality_config or kill, "
                    f"got {repr(other)[:60]}."
                )

    def _ask(self, peer: _Peer, data: Any, size: int, answer: _Answer) -> None:
        question = asked(data, self.key_map.ignored)
        while len(peer.robots) < len(question.robots):
            peer.robots.append(Guest(self.service, self.key_map, "groot"))
        together = _Round(question, answer)
        share = size // len(question.robots)
        for i, seen in enumerate(question.robots):
            try:
                peer.robots[i].ask(seen, share, partial(together.take, i))
            except OctoverseError as error:
                together.take(i, error)

    def _kill(self, answer: _Answer) -> None:
        if not self.settings.api_keys:
            raise BadMessage(
                "kill: expected a key, got a frontend that has none. Name `api_keys` in its file "
                "to let who has one stop it, or stop the server where it runs."
            )
        logger.warning("a client stopped this frontend", extra={"address": self.address})
        answer(None)
        self._stopping.set()

    def _peer(self, route: bytes) -> _Peer:
        """Find the client, or take it in, if need be for the one heard of longest ago."""
        peer = self._peers.pop(route, None) or _Peer()
        if len(self._peers) >= self.service.limits.connections:
            _leave(self._peers.pop(next(iter(self._peers))))
        peer.heard = time.monotonic()
        self._peers[route] = peer
        return peer

    def _expire(self, now: float) -> None:
        for route, peer in list(self._peers.items()):
            if now - peer.heard <= self.service.limits.session_s:
                break
            _leave(self._peers.pop(route))

    def _answer(self, route: bytes, answer: Any) -> None:
        self._outbox.append((route, answer))
        if threading.current_thread() is not self._thread:
            self._bell.ring()

    def _write(self) -> None:
        while self._outbox:
            route, answer = self._outbox.popleft()
            message = numpy_msgpack.write_groot(answer)
            with suppress(zmq.ZMQError):  # who has gone, or reads nothing, misses it
                self._socket.send_multipart((route, b"", message), zmq.NOBLOCK)


def _leave(peer: _Peer) -> None:
    for guest in peer.robots:
        guest.leave()
