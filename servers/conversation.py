"""What a robot says to a policy server and how it takes the answers; no sockets, no waiting.

Everything that is said is a Talk (talk.py), which Client and AsyncClient carry to the server.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import zmq

from octoverse import wire
from octoverse.acting import check_chunk
from octoverse.checking import FrameCheck
from octoverse.embodiment import Embodiment
from octoverse.episode import ActionChunk, Calibration, Frame
from octoverse.errors import SpecMismatch, UnknownName
from octoverse.packing import views
from octoverse.servers.clock import ServerClock
from octoverse.servers.parcels import Parcels
from octoverse.servers.talk import Answer, Message, Talk, expect, say

logger = logging.getLogger(__name__)

_FORGOTTEN = ("no_session", "worker_lost")
_SOONEST_MS = 1e-3
"""The deadline of a frame whose time is over: the server keeps it, and answers that it is stale."""
_GREETINGS = 3
"""How often a robot says hello within one call before it takes the fault for an answer."""


@dataclass(frozen=True, kw_only=True)
class RoundTrip:
    """Where the time of the last answer went."""

    total_ms: float
    """From the call until its return."""
    server: wire.Timing


class Conversation:
    """One robot's side of the wire: its session, its steps, what it knows of the server's clock.

    Args:
        body: The robot's spec.
        name: What the server's table calls this robot.
        calibration: Of the robot's cameras, by name.
        jpeg_quality: 1 to 100 to compress images, None to send them as they are.
        resume: The session of an earlier client, to go on with.
    """

    def __init__(
        self,
        body: Embodiment,
        *,
        name: str = "",
        calibration: Mapping[str, Calibration] | None = None,
        jpeg_quality: int | None = None,
        resume: str | None = None,
    ) -> None:
        if jpeg_quality is not None and not 1 <= jpeg_quality <= 100:
            raise ValueError(f"jpeg_quality must be 1 to 100, got {jpeg_quality}.")
        self.body, self.name = body, name
        self.clock = ServerClock()
        self._last: tuple[float, wire.Timing] | None = None
        self.late = self.restarts = 0
        self._check, self._parcels = FrameCheck(body), Parcels(body, jpeg_quality)
        self._calibration, self._resume = dict(calibration or {}), resume
        self._welcome: wire.Welcome | None = None
        self._seed = self._step = self._number = self._greeted = 0
        self._forgotten = False

    @property
    def welcome(self) -> wire.Welcome:
        """What the server told when it was greeted."""
        assert self._welcome is not None
        return self._welcome

    @property
    def last_timing(self) -> RoundTrip | None:
        """Where the time of the last answer went."""
        return self._last and RoundTrip(total_ms=self._last[0], server=self._last[1])

    def hello(self) -> Talk[None]:
        """Open a session, and look how the server's clock stands."""
        first = self._welcome is None
        self._greeted = number = self._next()
        hello = wire.Hello(
            protocol=wire.PROTOCOL,
            embodiment=self.body,
            client=self.name,
            calibration=self._calibration,
            resume=self._resume if first else None,
            request=number,
        )
        header = wire.encode(hello)
        _, answer = yield from say(lambda: Message(header, request=number))
        self._welcome, self._forgotten = expect(answer, wire.Welcome), False
        if first and self._resume is not None and not self._welcome.resumed:
            logger.warning(
                "%s: the server no longer knows the session to resume; the window starts anew",
                self.body.name,
            )
        yield from self.ping()

    def act(
        self,
        frame: Frame,
        *,
        observed_at_ns: int | None,
        deadline_ms: float,
        seed: int | None,
        chunk_ns: int | None,
        executed_steps: int,
        frozen_steps: int,
        seen_at_ns: Mapping[str, int] | None,
    ) -> Talk[ActionChunk]:
        """Add a frame to the robot's window and ask for the next actions."""
        began = time.monotonic()
        at_ns = time.monotonic_ns() if observed_at_ns is None else observed_at_ns
        specs, words, packed = self._wrap(frame, seen_at_ns)
        number, step, self._step = self._next(), self._step, self._step + 1

        def made() -> Message:
            left = deadline_ms - 1000 * (time.monotonic() - began)
            observe = wire.Observe(
                session=self._session_for(packed),
                request=number,
                observed_at_ns=at_ns,
                step=step,
                seed=self._seed if seed is None else seed,
                deadline_ms=max(left, _SOONEST_MS),
                uplink_ms=self.clock.uplink_ms,
                chunk_ns=chunk_ns,
                executed_steps=executed_steps,
                frozen_steps=frozen_steps,
                arrays=specs,
                words=words,
            )
            return Message(wire.encode(observe), packed, number)

        message, answer = yield from self._in_session(made)
        if answer.reply is not None and answer.reply.request == number:
            self._parcels.answered()
        act = expect(answer, wire.Act)
        times = message.sent_ns, act.timing.received_at_ns, act.timing.sent_at_ns
        if times[1]:
            self.clock.add(*times, answer.arrived_ns, frame=True)
        welcome = self.welcome
        chunk = self._chunk(act, answer.body, welcome.limits.image_bytes)
        check_chunk(self.body, welcome.horizons, chunk, at_ns)
        self._last = 1000 * (time.monotonic() - began), act.timing
        return chunk

    def observe(
        self, frame: Frame, *, observed_at_ns: int | None, seen_at_ns: Mapping[str, int] | None
    ) -> Talk[None]:
        """Add a frame to the robot's window without asking for actions."""
        at_ns = time.monotonic_ns() if observed_at_ns is None else observed_at_ns
        specs, words, packed = self._wrap(frame, seen_at_ns)
        number = self._next()

        def made() -> Message:
            observe = wire.Observe(
                session=self._session_for(packed),
                request=number,
                observed_at_ns=at_ns,
                act=False,
                arrays=specs,
                words=words,
            )
            return Message(wire.encode(observe), packed)

        yield from self._in_session(made)

    def reset(self, seed: int, calibration: Mapping[str, Calibration] | None) -> Talk[None]:
        """Begin a new episode; done when the server has heard it."""
        self._seed, self._step = seed, 0
        self._calibration.update(calibration or {})
        while True:
            if self._forgotten:
                yield from self._greet_again()
            reset = wire.Reset(
                session=self.welcome.session, request=self._next(), calibration=self._calibration
            )
            ping = wire.Ping(request=self._next())
            # A Reset is not answered; the Ping behind it tells that it got there.
            if (yield Message(wire.encode(reset))) is None:
                continue
            answer = yield Message(wire.encode(ping), request=ping.request)
            if answer is not None:
                expect(answer, wire.Pong)
                return

    def ping(self) -> Talk[wire.Pong]:
        """Ask how the server is."""
        number = self._next()
        message = Message(wire.encode(wire.Ping(request=number)), request=number)
        _, answer = yield from say(lambda: message)
        pong = expect(answer, wire.Pong)
        if pong.at_ns:
            self.clock.add(message.sent_ns, pong.at_ns, pong.at_ns, answer.arrived_ns)
        return pong

    def bye(self) -> Message | None:
        """What to say last, if there is a session to give back."""
        if self._welcome is None:
            return None
        return Message(wire.encode(wire.Bye(session=self._welcome.session)))

    def read(self, frames: Sequence[bytes], arrived_ns: int, request: int | None) -> Answer | None:
        """Take what came from the server.

        Args:
            frames: Header and body.
            arrived_ns: When they came.
            request: Number of the message that waits for its answer, None if none waits.

        Returns:
            The answer to it, or None if it is something else, which is noted.

        Raises:
            BadMessage: if it is not of this protocol.
        """
        reply = wire.read_reply(frames[0])
        unread = isinstance(reply, wire.Fault) and reply.request is None
        if request is not None and (reply.request == request or unread):
            return Answer(reply, memoryview(frames[-1] if len(frames) > 1 else b""), arrived_ns)
        match reply:
            case wire.Closing():
                logger.warning("%s: the policy server stops: %s", self.body.name, reply.reason)
            case wire.Fault():
                logger.warning("an earlier message was refused: %s %s", reply.message, reply.remedy)
                number = reply.request or 0
                self._forgotten |= reply.code in _FORGOTTEN and number > self._greeted
            case wire.Act():
                self.late += 1
                logger.info("dropped a late answer, %.0f ms old", reply.timing.total_ms)
            case _:
                self.late += 1
        return None

    def _in_session(self, make: Callable[[], Message]) -> Talk[tuple[Message, Answer]]:
        """Say something of the session; open a new one where the server has lost it."""
        for _ in range(_GREETINGS):
            if self._forgotten:
                yield from self._greet_again()
            message, answer = yield from say(make)
            fault = answer.reply
            if not isinstance(fault, wire.Fault) or fault.code not in _FORGOTTEN:
                break
            self._forgotten = True
        return message, answer

    def _greet_again(self) -> Talk[None]:
        logger.warning(
            "%s: the server forgot this robot; saying hello again, the window starts anew",
            self.body.name,
        )
        yield from self.hello()
        self.restarts += 1

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _session_for(self, packed: zmq.Frame) -> str:
        welcome = self.welcome
        limit = welcome.limits.message_bytes
        if len(packed) > limit:
            raise SpecMismatch(
                f"{self.body.name}: expected a frame of at most {limit} bytes, got {len(packed)}. "
                "Send smaller images (see welcome.camera_sizes) or set jpeg_quality."
            )
        return welcome.session

    def _wrap(
        self, frame: Frame, seen_at_ns: Mapping[str, int] | None
    ) -> tuple[tuple[wire.ArraySpec, ...], dict[str, str], zmq.Frame]:
        for name in seen_at_ns or ():
            if name not in frame:
                raise UnknownName("stream of the frame", name, frame)
        return self._parcels.wrap(self._check(frame), seen_at_ns)

    def _chunk(self, act: wire.Act, packed: memoryview, image_bytes: int) -> ActionChunk:
        arrays = views(act.arrays, packed, image_bytes)
        return ActionChunk(
            embodiment=self.body.name,
            action={name: np.array(array) for name, array in arrays.items()},
            observed_at_ns=act.observed_at_ns,
            text=act.text,
        )
