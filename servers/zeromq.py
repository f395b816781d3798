"""Serve a policy to many robots over ZeroMQ; docs/wire.md has the messages.

One thread has the socket and waits for nobody, a few prepare images, one runs the policy.
"""

import logging
import select
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import numpy as np
import zmq

from octoverse import wire
from octoverse.acting import ActingPolicy
from octoverse.errors import ServerError
from octoverse.packing import packed
from octoverse.servers.address import bind, checked_address
from octoverse.servers.bell import Bell
from octoverse.servers.curve import NOT_ALLOWED, Curve
from octoverse.servers.guard import Guard
from octoverse.servers.service import Service
from octoverse.servers.signals import end_asked, wait
from octoverse.servers.status import ServerStatus
from octoverse.wire import Limits

logger = logging.getLogger(__name__)

DEFAULT_ADDRESS = "tcp://127.0.0.1:5555"
# Plain numbers: the arithmetic of enums takes longer than what it is for.
_POLLIN, _LAST, _MORE = int(zmq.POLLIN), int(zmq.NOBLOCK), int(zmq.NOBLOCK | zmq.SNDMORE)
_EXPIRE_EVERY_S = 1
_LAST_WORDS_MS = 200


class Server:
    """Serves one policy until stopped.

    Args:
        policy: What computes.
        address: tcp://127.0.0.1:PORT; port 0 or * picks a free one, see `address` after `start`.
        max_batch: Requests computed together, at most.
        max_wait_ms: How long a batch is held back for robots about to come back, at most.
        limits: What is refused.
        prepare_threads: How many frames are decoded and resized at once.
        watchdog_s: How long a batch may be at work before it is given up.
        curve: Keys, and the clients that are let in; None lets in anybody on this machine.
        insecure: Let in anybody from anywhere, unencrypted.

    Raises:
        ServerError: if other machines can reach the address, and neither of these was said.
    """

    def __init__(
        self,
        policy: ActingPolicy,
        *,
        address: str = DEFAULT_ADDRESS,
        max_batch: int = 16,
        max_wait_ms: float = 5.0,
        limits: Limits | None = None,
        prepare_threads: int = 2,
        watchdog_s: float = 30.0,
        curve: Curve | None = None,
        insecure: bool = False,
    ) -> None:
        self.address = checked_address(address, keys=curve is not None, insecure=insecure)
        self._curve = curve
        self.service = Service(
            policy,
            max_batch=max_batch,
            max_wait_ms=max_wait_ms,
            limits=limits,
            prepare_threads=prepare_threads,
            watchdog_s=watchdog_s,
        )
        self._lock = threading.Lock()
        """Whoever holds it may use the socket."""
        self._open = self._asleep = False
        self._guard = Guard(self.service.limits)
        self._unsent = 0
        self._stopping = False
        self._reader: int | None = None
        """Which thread has the socket."""
        self._thread = self._new_thread()

    def start(self) -> "Server":
        """Bind, and serve in threads of its own.

        Raises:
            ServerError: if the port is in use.
        """
        self._context = zmq.Context()
        self._socket: zmq.Socket[bytes] = self._context.socket(zmq.ROUTER)
        self._guard.limit(self._socket)
        self._socket.setsockopt(zmq.LINGER, _LAST_WORDS_MS)
        if self._curve is not None:
            self._curve.secure(self._socket)
        try:
            bind(self._socket, self.address)
        except ServerError:
            self._close(0)
            raise
        self.address = self._socket.getsockopt_string(zmq.LAST_ENDPOINT)
        self._guard.start()
        self._bell = Bell()
        self._open = True
        self.service.start()
        self._thread.start()
        self.service.lend(self._thread, self._replace)
        about = {"model": self.service.policy.model, "address": self.address}
        logger.info("serving", extra=about)
        return self

    def stop(self) -> None:
        """Answer what has come, for a few seconds at most, tell all robots, and close."""
        if self._thread.ident is None or self._stopping:
            return
        self.service.stop()
        self._stopping = True
        self._bell.ring()
        self._thread.join()
        logger.info("stopped", extra={"address": self.address})

    def run(self, started: Callable[[], None] = lambda: None) -> None:
        """Serve until SIGINT or SIGTERM; a second one ends the process at once.

        Call it from the main thread.

        Args:
            started: Is called once the server listens, when `address` is known.

        Raises:
            ServerError: if the port is in use, or the socket breaks.
        """
        with end_asked() as asked, self:
            started()
            wait(asked, self._thread.is_alive)

    def status(self) -> ServerStatus:
        """Look at the live figures."""
        status = self.service.status()
        broken = self._thread.ident is not None and not self._thread.is_alive()
        trouble = status.trouble or ("The socket broke; the log says why." if broken else "")
        return replace(
            status,
            address=self.address,
            healthy=not trouble,
            trouble=trouble,
            unsent=self._unsent,
            connections=self._guard.connections,
            cut=self._guard.cut,
        )

    def __enter__(self) -> "Server":
        return self.start()

    def __exit__(self, *error: object) -> None:
        self.stop()

    def _new_thread(self) -> threading.Thread:
        return threading.Thread(target=self._run, name="socket", daemon=True)

    def _replace(self) -> None:
        """Go on in another thread: the policy hangs in this one."""
        self._thread = self._new_thread()
        self._thread.start()

    def _run(self) -> None:
        me = self._reader = threading.get_ident()
        try:
            self._serve()
        except Exception:
            logger.exception("the socket broke")
        if self._reader == me:
            with self._lock:
                self._open = False
                self._close(_LAST_WORDS_MS)
            self._bell.close()

    def _close(self, linger_ms: int) -> None:
        self._guard.close()
        if self._curve is not None:
            self._curve.close()
        self._context.destroy(linger=linger_ms)

    def _serve(self) -> None:
        # What polls is the plain descriptor: whoever answers may use the socket meanwhile.
        poller, expired, told = select.poll(), time.monotonic(), False
        message, bell = (self._socket.fileno(), select.POLLIN), (self._bell.fileno(), select.POLLIN)
        for descriptor, event in (message, bell):
            poller.register(descriptor, event)
        me = self._reader
        while self._reader == me and not self._stopping:
            while self._read(told) and self._reader == me:
                told = False
            ready = poller.poll(1000 * _EXPIRE_EVERY_S)
            self._asleep = False
            told = message in ready
            if bell in ready:
                self._bell.silence()
            if (now := time.monotonic()) - expired > _EXPIRE_EVERY_S:
                self.service.expire()
                expired = now

    def _read(self, told: bool) -> bool:
        """Take one message from the socket, if there is one; the descriptor may have told of it."""
        with self._lock:
            # Looking, or reading in vain, is what makes the descriptor tell of the next message.
            if not told and not int(self._socket.getsockopt(zmq.EVENTS)) & _POLLIN:
                self._asleep = True
                return False
            try:
                route, header = self._socket.recv(_LAST), self._socket.recv(copy=False)
            except zmq.Again:
                self._asleep = True
                return False
            frame, count, size = header, 1, len(header)
            while frame.more:
                frame, count = self._socket.recv(copy=False), count + 1
                size += len(frame)
        self._guard.delivered(int(header.get(zmq.SRCFD)), size)
        reply = partial(self._reply, route)
        peer = "" if self._curve is None else self._curve.peer(header)
        try:
            if self._curve is not None and not peer:
                self.service.refuse(reply, *NOT_ALLOWED)
            elif count == 2:
                self.service.receive(header.bytes, frame.buffer, reply, peer)
            else:
                self.service.refuse(reply, f"message: expected 2 frames, got {count}.")
        except Exception:
            logger.exception("a message could not be handled")
            self.service.refuse(reply, "message: expected one that can be handled.")
        return True

    def _reply(self, route: bytes, message: wire.Reply, arrays: Mapping[str, np.ndarray]) -> None:
        """Send an answer at once, from whichever thread has it."""
        header, body = packed(message, arrays)
        with self._lock:
            if not self._open:
                return
            try:
                self._socket.send(route, _MORE)
                self._socket.send(header, _MORE)
                self._socket.send(body, _LAST)
            except zmq.ZMQError as error:
                if error.errno not in (zmq.EAGAIN, zmq.EHOSTUNREACH):
                    raise
                self._unsent += 1  # it reads none, or has gone
            # Sending may have noticed a message that the descriptor then tells nobody of.
            if self._asleep and int(self._socket.getsockopt(zmq.EVENTS)) & _POLLIN:
                self._bell.ring()
