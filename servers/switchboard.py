"""A broker's decisions: which worker gets a robot's message, and what robots are told instead.

Of a message only its envelope is read; header and body are passed on as they came. A session stays
with its worker. When that one is gone, its robots are told so, and start anew with another.
"""

import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from octoverse import wire
from octoverse.errors import BadMessage
from octoverse.servers.backend_messages import Beat, Heard, Shown, encode, read_worker
from octoverse.servers.envelopes import Envelope, read_answer, read_envelope
from octoverse.servers.faults import Faults
from octoverse.servers.roster import Roster, Worker
from octoverse.servers.together import SEATS
from octoverse.wire import FaultCode, Limits

logger = logging.getLogger(__name__)

_BUSY_MS, _AWAY_MS = 100.0, 1000.0
"""When to ask again if a worker is behind, and if there is none."""
_HELD = 1024
_LOST = "The worker that held this robot is gone."
_ANEW = "Say Hello again; the window starts anew on another worker."


@dataclass(frozen=True, slots=True)
class _Call:
    """One message of a robot."""

    route: bytes
    peer: bytes
    header: bytes
    body: Any
    envelope: Envelope


class Switchboard:
    """Connects robots and workers; used by one thread.

    Args:
        limits: What is refused.
        to_robot: Sends route, header and body to a robot; never waits.
        to_worker: Sends a worker's route and frames to a worker; False, at once, if that cannot be.
        one_clock: Whether all workers have this machine's clock, so that a client may learn it.
        pictures: Takes what a worker shows of what a robot sees.
    """

    def __init__(
        self,
        limits: Limits,
        to_robot: Callable[[bytes, bytes, Any], None],
        to_worker: Callable[..., bool],
        one_clock: bool,
        pictures: Callable[[Worker, Shown], None],
    ) -> None:
        self.roster, self.faults = Roster(), Faults()
        self.closing = False
        """Whether robots are told that it stops instead of being passed on."""
        self.settled = 0.0
        """Until then, in monotonic time [s], what nobody can take is held: a broker that was
        started again waits for its workers, and the sessions that they have, to come back."""
        self._limits, self._one_clock = limits, one_clock
        self._to_robot, self._to_worker, self._pictures = to_robot, to_worker, pictures
        self._held: deque[_Call] = deque()
        self._held_bytes = 0
        self.began = time.monotonic()

    def from_robot(self, route: bytes, peer: bytes, header: bytes, body: Any, now: float) -> None:
        """Take a message from a robot.

        Args:
            route: Where it came from.
            peer: Public key of its client, empty without one.
            header: Its first frame.
            body: Its second, anything with a length that the sockets can send.
            now: Monotonic time [s].
        """
        try:
            envelope = read_envelope(header)
        except BadMessage as error:
            self._fault(route, error.code, str(error), error.request)
            return
        if envelope.type == "ping":
            self._answer(route, self._pong(envelope.request))
        else:
            self._pass_on(_Call(route, peer, header, body, envelope), now)

    def refuse(
        self, route: bytes, message: str, code: FaultCode = "bad_message", remedy: str = ""
    ) -> None:
        """Answer what is not even a message, or not taken from this robot."""
        self._fault(route, code, message, None, remedy)

    def from_worker(self, at: bytes, fd: int, frames: list[Any], now: float) -> None:
        """Take a message from a worker, for a robot or for the broker itself.

        Args:
            at: Where it came from.
            fd: Its connection.
            frames: What follows, as bytes.
            now: Monotonic time [s].
        """
        worker = self.roster.at(at)
        try:
            if len(frames) == 2 and not frames[0]:
                message = read_worker(frames[1])
                if isinstance(message, Beat):
                    self._hear(message, at, fd, now)
                elif worker is not None:
                    self._pictures(worker, message)
            elif worker is None:
                logger.debug("dropped an answer of a worker that was given up")
            elif len(frames) == 3:
                route, header, body = frames
                self._return(worker, route, header, body, now)
            else:
                raise BadMessage(f"message: expected 2 or 3 frames, got {len(frames)}.")
        except BadMessage as error:
            logger.warning("%s: %s", worker or "a worker", error)

    def gone(self, worker: Worker, why: str) -> None:
        """Give a worker up, and tell the robots that wait for it."""
        if worker.beat.leaving and not worker.unanswered:
            logger.info("%s has left", worker)
        else:
            logger.warning(
                "%s %s; its %d robots start anew with others", worker, why, len(worker.sessions)
            )
        self.roster.remove(worker)
        for route, request in worker.unanswered:
            self._fault(route, "worker_lost", _LOST, request, _ANEW)

    def tick(self, now: float) -> None:
        """Look who has not been heard of; call it a few times a second."""
        for worker in self.roster.silent(now):
            self.gone(worker, "has not been heard of for too long")
        if now >= self.settled:
            self._try_again(now)

    def close(self, reason: str) -> None:
        """Tell every robot that the broker stops."""
        self.settled = 0.0
        self._try_again(time.monotonic())
        for worker in self.roster.workers.values():
            for route in set(worker.sessions.values()) - {b""}:
                self._answer(route, wire.Closing(reason=reason))

    @property
    def unanswered(self) -> int:
        """Requests under way."""
        return sum(len(worker.unanswered) for worker in self.roster.workers.values())

    def _pass_on(self, call: _Call, now: float) -> None:
        said = call.envelope
        if self.closing:
            self._fault(call.route, "stopping", "The server stops.", said.request)
            return
        hello = said.type == "hello"
        worker = self.roster.of(said.resume or "" if hello else said.session)
        # While workers come back, so may the one that has the session to resume.
        if worker is None and hello and (said.resume is None or now >= self.settled):
            worker = self.roster.lightest(said.embodiment.name if said.embodiment else "")
        if worker is None:
            self._keep_or_refuse(call, now)
        elif said.asks and len(worker.unanswered) >= self._limits.queue:
            self._overloaded(call, "too many requests wait", _BUSY_MS)
        elif not self._to_worker(worker.route, call.route, call.peer, call.header, call.body):
            self._overloaded(call, "the robot's worker is behind", _BUSY_MS)
        else:
            if said.asks:
                worker.unanswered[call.route, said.request] = now
            if said.type == "bye":
                for key in [key for key in worker.unanswered if key[0] == call.route]:
                    del worker.unanswered[key]
            elif not hello:
                worker.sessions[said.session] = call.route

    def _keep_or_refuse(self, call: _Call, now: float) -> None:
        said, size = call.envelope, len(call.header) + len(call.body)
        room = len(self._held) < _HELD and self._held_bytes + size <= self._limits.message_bytes
        if self.roster.lost(said.session):
            self._fault(call.route, "worker_lost", _LOST, said.request, _ANEW)
        elif now < self.settled and room:
            self._held.append(call)
            self._held_bytes += size
        elif said.type == "hello":
            self._overloaded(call, "no worker is there at the moment", _AWAY_MS)
        elif said.type != "bye":
            self._fault(
                call.route,
                "no_session",
                f"session {said.session[:8]}: expected one in use, got one that no worker knows.",
                said.request,
                "Say Hello again; the window starts anew.",
            )

    def _try_again(self, now: float) -> None:
        held, self._held, self._held_bytes = self._held, deque(), 0
        for call in held:
            self._pass_on(call, now)

    def _hear(self, beat: Beat, at: bytes, fd: int, now: float) -> None:
        before = self.roster.workers.get(beat.name)
        left = before is not None and before.beat.leaving
        worker = self.roster.beat(beat, at, fd, now)
        if worker is None:
            logger.error("more than %d workers: one more is not taken", SEATS - 1)
            return
        self._to_worker(at, b"", encode(Heard()))
        if before is None:
            logger.info("%s joined with %s and %d robots", worker, beat.model, len(worker.sessions))
            self._try_again(now)
        elif beat.leaving and not left:
            logger.info("%s leaves", worker)

    def _return(self, worker: Worker, route: bytes, header: bytes, body: Any, now: float) -> None:
        answer = read_answer(header)
        worker.heard = now
        if answer.request is not None:
            worker.unanswered.pop((route, answer.request), None)
        match answer.type:
            case "closing":  # it speaks of one worker; the others go on
                return
            case "welcome":
                self.roster.seat(answer.session, worker, route)
            case "fault" if answer.code == "stopping":
                self._fault(route, "worker_lost", _LOST, answer.request, _ANEW)
                return
        self._to_robot(route, header, body)

    def _overloaded(self, call: _Call, why: str, retry_ms: float) -> None:
        self._fault(
            call.route,
            "overloaded",
            f"The server is overloaded: {why}.",
            call.envelope.request,
            f"Ask again in {retry_ms:.0f} ms, or less often.",
            retry_ms,
        )

    def _fault(
        self,
        route: bytes,
        code: FaultCode,
        message: str,
        request: int | None,
        remedy: str = "",
        retry_after_ms: float | None = None,
    ) -> None:
        self.faults.send(
            partial(self._answer, route),
            code,
            message,
            request,
            remedy=remedy,
            retry_after_ms=retry_after_ms,
        )

    def _answer(self, route: bytes, message: wire.Reply, arrays: Any = None) -> None:
        self._to_robot(route, wire.encode(message), b"")

    def _pong(self, request: int) -> wire.Pong:
        workers = self.roster.workers.values()
        beats = [worker.beat for worker in workers]
        return wire.Pong(
            request=request,
            model=", ".join(dict.fromkeys(beat.model for beat in beats)),
            uptime_s=time.monotonic() - self.began,
            sessions=sum(len(worker.sessions) for worker in workers),
            queue=sum(beat.queue for beat in beats),
            load=sum(beat.load for beat in beats) / max(1, len(beats)),
            at_ns=time.monotonic_ns() if self._one_clock else 0,
            bodies=tuple(dict.fromkeys(body for beat in beats for body in beat.bodies)),
        )
