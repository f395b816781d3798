"""One robot's policy, computed by a server: call it like a LocalPolicy."""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import msgspec
import numpy as np

from octoverse import wire
from octoverse.acting import check_chunk
from octoverse.checking import FrameCheck
from octoverse.embodiment import Camera, Embodiment, GoalImage
from octoverse.episode import ActionChunk, Calibration, Frame
from octoverse.errors import RemoteError, SpecMismatch
from octoverse.packing import Jpeg, pack, views
from octoverse.servers.connection import Connection

logger = logging.getLogger(__name__)

_EMPTY = np.empty(0, np.uint8)
R = TypeVar("R", wire.Welcome, wire.Act, wire.Pong)


@dataclass(frozen=True, kw_only=True)
class RoundTrip:
    """Where the time of the last answer went."""

    total_ms: float
    """From the call until its return."""
    server: wire.Timing


class Client:
    """Asks a policy server for one robot's actions; blocking, for one thread.

    Args:
        address: As in tcp://127.0.0.1:5555.
        body: The robot's spec; it must mean the same as the one the policy was trained with.
        timeout: Longest wait for any answer [s]; also the deadline that the server is told.
        name: What the server's table calls this robot.
        calibration: Of the robot's cameras, by name.
        jpeg_quality: 1 to 100 to compress images, None to send them as they are.

    Raises:
        ServerUnreachable: if no policy server answers in time.
        RemoteError: if the server refuses this robot; the message says why.
    """

    def __init__(
        self,
        address: str,
        body: Embodiment,
        *,
        timeout: float = 2.0,
        name: str = "",
        calibration: Mapping[str, Calibration] | None = None,
        jpeg_quality: int | None = None,
    ) -> None:
        if not timeout > 0:
            raise ValueError(f"timeout must be above 0 s, got {timeout} s.")
        if jpeg_quality is not None and not 1 <= jpeg_quality <= 100:
            raise ValueError(f"jpeg_quality must be 1 to 100, got {jpeg_quality}.")
        self.body, self.name, self.jpeg_quality = body, name, jpeg_quality
        self.last_timing: RoundTrip | None = None
        self._check, self._calibration = FrameCheck(body), dict(calibration or {})
        self._seed = self._step = self._number = 0
        self._connection = Connection(address, timeout)
        try:
            self.welcome = self._hello()
        except BaseException:
            self._connection.close()
            raise

    @property
    def late(self) -> int:
        """How many answers came after this client had given them up."""
        return self._connection.late

    def act(
        self,
        frame: Frame,
        *,
        observed_at_ns: int | None = None,
        deadline_ms: float | None = None,
        seed: int | None = None,
    ) -> ActionChunk:
        """Add a frame to the robot's window and ask for the next actions.

        Args:
            frame: What the body sees.
            observed_at_ns: When, by a monotonic clock; now if not given.
            deadline_ms: Later than that the server does not compute it; the timeout if not given.
            seed: Decides, with the count of calls since the reset, the noise of sampled actions;
                that of the reset if not given.

        Raises:
            SpecMismatch: if the frame does not fit the body.
            UnknownName: if it has a stream that the body has not.
            RemoteError: if the server refuses; its `code` says why.
            ServerUnreachable: if no answer comes in time.
        """
        began = time.monotonic()
        observe = wire.Observe(
            session=self.welcome.session,
            request=self._next(),
            observed_at_ns=time.monotonic_ns() if observed_at_ns is None else observed_at_ns,
            step=self._step,
            seed=self._seed if seed is None else seed,
            deadline_ms=1000 * self._connection.timeout if deadline_ms is None else deadline_ms,
        )
        header, body = self._pack(observe, frame)
        self._step += 1
        try:
            act, packed = self._ask(header, body, observe.request, wire.Act)
        except RemoteError as error:
            if error.code != "no_session":
                raise
            logger.warning("%s: the server forgot this robot; saying hello again", self.body.name)
            self.welcome = self._hello()
            observe = msgspec.structs.replace(observe, session=self.welcome.session)
            header, body = self._pack(observe, frame)
            act, packed = self._ask(header, body, observe.request, wire.Act)
        chunk = self._chunk(act, packed)
        check_chunk(self.body, self.welcome.horizons, chunk, observe.observed_at_ns)
        self.last_timing = RoundTrip(total_ms=1000 * (time.monotonic() - began), server=act.timing)
        return chunk

    def observe(self, frame: Frame, *, observed_at_ns: int | None = None) -> None:
        """Add a frame to the robot's window without asking for actions; raises as `act` does."""
        observe = wire.Observe(
            session=self.welcome.session,
            request=self._next(),
            observed_at_ns=time.monotonic_ns() if observed_at_ns is None else observed_at_ns,
            act=False,
        )
        self._connection.tell(*self._pack(observe, frame))

    def reset(self, seed: int = 0, calibration: Mapping[str, Calibration] | None = None) -> None:
        """Begin a new episode: forget the window and the memory.

        Args:
            seed: Of the noise of sampled actions.
            calibration: Of cameras that have been calibrated anew.

        Raises:
            ServerUnreachable: if there is no connection in time.
        """
        self._seed, self._step = seed, 0
        self._calibration.update(calibration or {})
        reset = wire.Reset(
            session=self.welcome.session, request=self._next(), calibration=self._calibration
        )
        self._connection.tell(wire.encode(reset), _EMPTY)

    def ping(self) -> wire.Pong:
        """Ask how the server is; raises ServerUnreachable if it does not answer in time."""
        number = self._next()
        header = wire.encode(wire.Ping(request=number))
        return self._ask(header, _EMPTY, number, wire.Pong)[0]

    def close(self) -> None:
        """Give the session back and close the connection."""
        self._connection.close(wire.encode(wire.Bye(session=self.welcome.session)))

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _hello(self) -> wire.Welcome:
        number = self._next()
        hello = wire.Hello(
            protocol=wire.PROTOCOL,
            embodiment=self.body,
            client=self.name,
            calibration=self._calibration,
            request=number,
        )
        return self._ask(wire.encode(hello), _EMPTY, number, wire.Welcome)[0]

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _ask(
        self, header: bytes, body: np.ndarray, number: int, kind: type[R]
    ) -> tuple[R, memoryview]:
        reply, packed = self._connection.ask(header, body, number)
        if isinstance(reply, wire.Fault):
            raise RemoteError(reply.code, reply.message, reply.remedy)
        if not isinstance(reply, kind):
            raise RemoteError(
                "bad_message",
                f"The server answered with {type(reply).__name__}, expected {kind.__name__}.",
            )
        return reply, packed

    def _pack(self, observe: wire.Observe, frame: Frame) -> tuple[bytes, np.ndarray]:
        words: dict[str, str] = {}
        arrays: dict[str, np.ndarray | Jpeg] = {}
        for name, value in self._check(frame).items():
            stream = self.body.observation[name]
            if isinstance(value, str):
                words[name] = value
            elif isinstance(stream, Camera | GoalImage) and self.jpeg_quality is not None:
                arrays[name] = Jpeg.encode(value, self.jpeg_quality)
            else:
                arrays[name] = value
        header, body = pack(msgspec.structs.replace(observe, words=words), arrays)
        limit = self.welcome.limits.message_bytes
        if len(body) > limit:
            raise SpecMismatch(
                f"{self.body.name}: expected a frame of at most {limit} bytes, got {len(body)}. "
                "Send smaller images (see welcome.camera_sizes) or set jpeg_quality."
            )
        return header, body

    def _chunk(self, act: wire.Act, packed: memoryview) -> ActionChunk:
        arrays = views(act.arrays, packed, self.welcome.limits.image_bytes)
        return ActionChunk(
            embodiment=self.body.name,
            action={name: np.array(array) for name, array in arrays.items()},
            observed_at_ns=act.observed_at_ns,
            text=act.text,
        )
