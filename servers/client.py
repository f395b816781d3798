"""One robot's policy, computed by a server: call it like a LocalPolicy.

Client blocks; AsyncClient, which is found here too, is for asyncio.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from octoverse import wire
from octoverse.embodiment import Embodiment
from octoverse.episode import ActionChunk, Calibration, Frame
from octoverse.servers.clock import ServerClock
from octoverse.servers.connection import Connection
from octoverse.servers.conversation import Conversation, RoundTrip
from octoverse.servers.keys import ClientKeys
from octoverse.servers.line import Line

if TYPE_CHECKING:
    from octoverse.servers.asynchronous import AsyncClient as AsyncClient


class Robot:
    """What both clients are made of: one robot's conversation and its line to the server."""

    def __init__(
        self,
        address: str,
        body: Embodiment,
        *,
        timeout: float = 2.0,
        name: str = "",
        calibration: Mapping[str, Calibration] | None = None,
        jpeg_quality: int | None = None,
        resume: str | None = None,
        keys: ClientKeys | None = None,
    ) -> None:
        self.body = body
        self._conversation = Conversation(
            body, name=name, calibration=calibration, jpeg_quality=jpeg_quality, resume=resume
        )
        secure = keys.secure if keys else None
        self._line = Line(address, timeout, self._conversation.read, secure)

    @property
    def timeout(self) -> float:
        """Longest that any call takes [s]; also the deadline that the server is told."""
        return self._line.timeout

    @timeout.setter
    def timeout(self, seconds: float) -> None:
        self._line.timeout = seconds

    @property
    def welcome(self) -> wire.Welcome:
        """What the server told when it last greeted this robot."""
        return self._conversation.welcome

    @property
    def frames(self) -> int:
        """How many frames a window has."""
        return self.welcome.frames

    @property
    def session(self) -> str:
        """What another client has to `resume` to go on with this one's window; keep it secret."""
        return self.welcome.session

    @property
    def clock(self) -> ServerClock:
        """How the server's clock stands to this one, and how long the ways take."""
        return self._conversation.clock

    @property
    def last_timing(self) -> RoundTrip | None:
        """Where the time of the last answer went."""
        return self._conversation.last_timing

    @property
    def late(self) -> int:
        """How many answers came after this client had given them up."""
        return self._conversation.late

    @property
    def restarts(self) -> int:
        """How often the server had lost the session, and the window started anew."""
        return self._conversation.restarts


class Client(Robot):
    """Asks a policy server for one robot's actions; blocking, for one thread.

    Args:
        address: As in tcp://127.0.0.1:5555.
        body: The robot's spec; it must mean the same as the one the policy was trained with.
        timeout: Longest that any call takes [s]; also the deadline that the server is told.
        name: What the server's table calls this robot.
        calibration: Of the robot's cameras, by name.
        jpeg_quality: 1 to 100 to compress images, None to send them as they are.
        resume: `session` of an earlier client of this robot, to go on with its window.
        keys: Where the server asks for them, as other machines' do.

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
        resume: str | None = None,
        keys: ClientKeys | None = None,
    ) -> None:
        super().__init__(
            address,
            body,
            timeout=timeout,
            name=name,
            calibration=calibration,
            jpeg_quality=jpeg_quality,
            resume=resume,
            keys=keys,
        )
        self._connection = Connection(self._line)
        try:
            self._connection.carry(self._conversation.hello())
        except BaseException:
            self._line.close()
            raise

    def act(
        self,
        frame: Frame,
        *,
        observed_at_ns: int | None = None,
        deadline_ms: float | None = None,
        seed: int | None = None,
        chunk_ns: int | None = None,
        executed_steps: int = 0,
        frozen_steps: int = 0,
        seen_at_ns: Mapping[str, int] | None = None,
    ) -> ActionChunk:
        """Add a frame to the robot's window and ask for the next actions.

        Args:
            frame: What the body sees.
            observed_at_ns: When, by a monotonic clock; now if not given.
            deadline_ms: From now; later than that it is not computed. The timeout if not given.
            seed: Decides, with the count of calls since the reset, the noise of sampled actions;
                that of the reset if not given.
            chunk_ns: `observed_at_ns` of the chunk that the robot is playing.
            executed_steps: How many of its rows were executed when the frame was seen.
            frozen_steps: How many rows after those will be executed whatever comes; the new chunk
                begins with them, if the policy can.
            seen_at_ns: When single streams were seen, where that is not when the frame was.

        Raises:
            SpecMismatch: if the frame does not fit the body.
            UnknownName: if it has a stream that the body has not.
            RemoteError: if the server refuses; its `code` says why.
            ServerUnreachable: if no answer comes in time.
        """
        talk = self._conversation.act(
            frame,
            observed_at_ns=observed_at_ns,
            deadline_ms=1000 * self.timeout if deadline_ms is None else deadline_ms,
            seed=seed,
            chunk_ns=chunk_ns,
            executed_steps=executed_steps,
            frozen_steps=frozen_steps,
            seen_at_ns=seen_at_ns,
        )
        return self._connection.carry(talk)

    def observe(
        self,
        frame: Frame,
        *,
        observed_at_ns: int | None = None,
        seen_at_ns: Mapping[str, int] | None = None,
    ) -> None:
        """Add a frame to the robot's window without asking for actions; raises as `act` does."""
        self._connection.carry(
            self._conversation.observe(frame, observed_at_ns=observed_at_ns, seen_at_ns=seen_at_ns)
        )

    def reset(self, seed: int = 0, calibration: Mapping[str, Calibration] | None = None) -> None:
        """Begin a new episode: forget the window and the memory.

        Args:
            seed: Of the noise of sampled actions.
            calibration: Of cameras that have been calibrated anew.

        Raises:
            ServerUnreachable: if the server does not hear it in time.
        """
        self._connection.carry(self._conversation.reset(seed, calibration))

    def ping(self) -> wire.Pong:
        """Ask how the server is; raises ServerUnreachable if it does not answer in time."""
        return self._connection.carry(self._conversation.ping())

    def close(self) -> None:
        """Give the session back and close the connection."""
        self._line.close(self._conversation.bye())

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def __getattr__(name: str) -> Any:
    # A client that blocks spares itself the import of asyncio.
    if name == "AsyncClient":
        from octoverse.servers.asynchronous import AsyncClient

        return AsyncClient
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
