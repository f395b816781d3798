"""A policy server's client for asyncio: the same as Client, awaited."""

import asyncio
import time
from collections.abc import Mapping
from typing import TypeVar

import zmq

from octoverse import wire
from octoverse.embodiment import Embodiment
from octoverse.episode import ActionChunk, Calibration, Frame
from octoverse.servers.client import Robot
from octoverse.servers.keys import ClientKeys
from octoverse.servers.line import Frames, Line, Want
from octoverse.servers.talk import Answer, Message, Talk

T = TypeVar("T")


class AsyncConnection:
    """Waits for one line in the running event loop; what is said at once is said in turn."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self._turn, self._stirred = asyncio.Lock(), asyncio.Event()
        self._watched: dict[int, zmq.Socket[bytes]] = {}

    async def carry(self, talk: Talk[T]) -> T:
        """Say what is to be said, within the line's timeout, and give what comes of it.

        Raises:
            ServerUnreachable: if there is no answer, or no connection, in time.
        """
        async with self._turn:
            until, answer = time.monotonic() + self.line.timeout, None
            while True:
                try:
                    message = talk.send(answer)
                except StopIteration as end:
                    return end.value
                answer = await self._exchange(message, until)

    async def close(self, last_words: Message | None) -> None:
        """Close the line; what is being said is finished first."""
        async with self._turn:
            self._unwatch()
            await asyncio.to_thread(self.line.close, last_words)

    async def _exchange(self, message: Message, until: float) -> Answer | None:
        waits, came = self.line.exchange(message, until), None
        while True:
            try:
                want, seconds = waits.send(came)
            except StopIteration as end:
                return end.value
            came = await self._wait(want, seconds)

    async def _wait(self, want: Want, seconds: float) -> Frames | None:
        if want is Want.PAUSE:
            self._unwatch()
            await asyncio.sleep(seconds)
            return None
        if not self._watched:
            self._watch()
        self._stirred.clear()
        frames = self.line.receive(0.0) if want is Want.ANSWER else None
        if frames is None and seconds:
            alarm = asyncio.get_running_loop().call_later(seconds, self._stirred.set)
            try:
                await self._stirred.wait()
            finally:
                alarm.cancel()
            frames = self.line.receive(0.0) if want is Want.ANSWER else None
        return frames

    def _watch(self) -> None:
        self._watched = {socket.fileno(): socket for socket in self.line.sockets}
        for number in self._watched:
            asyncio.get_running_loop().add_reader(number, self._stir)

    def _unwatch(self) -> None:
        for number in self._watched:
            asyncio.get_running_loop().remove_reader(number)
        self._watched.clear()

    def _stir(self) -> None:
        for socket in self._watched.values():
            socket.getsockopt(zmq.EVENTS)  # libzmq signals on until it was asked
        self._stirred.set()


class AsyncClient(Robot):
    """Asks a policy server for one robot's actions, in an event loop.

    Use it with `async with`, which greets the server; its methods are Client's, awaited. A call
    that is cancelled is given up, and its answer counts as late.

    Args:
        address: As in tcp://127.0.0.1:5555.
        body: The robot's spec; it must mean the same as the one the policy was trained with.
        timeout: Longest that any call takes [s]; also the deadline that the server is told.
        name: What the server's table calls this robot.
        calibration: Of the robot's cameras, by name.
        jpeg_quality: 1 to 100 to compress images, None to send them as they are.
        resume: `session` of an earlier client of this robot, to go on with its window.
        keys: Where the server asks for them, as other machines' do.
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
        self._connection = AsyncConnection(self._line)

    async def __aenter__(self) -> "AsyncClient":
        """Greet the server; raises as Client does when it is made."""
        try:
            await self._connection.carry(self._conversation.hello())
        except BaseException:
            await self._connection.close(None)
            raise
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    async def act(
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
        """Add a frame to the robot's window and ask for the next actions; see Client.act."""
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
        return await self._connection.carry(talk)

    async def observe(
        self,
        frame: Frame,
        *,
        observed_at_ns: int | None = None,
        seen_at_ns: Mapping[str, int] | None = None,
    ) -> None:
        """Add a frame to the robot's window without asking for actions; raises as `act` does."""
        await self._connection.carry(
            self._conversation.observe(frame, observed_at_ns=observed_at_ns, seen_at_ns=seen_at_ns)
        )

    async def reset(
        self, seed: int = 0, calibration: Mapping[str, Calibration] | None = None
    ) -> None:
        """Begin a new episode: forget the window and the memory; see Client.reset."""
        await self._connection.carry(self._conversation.reset(seed, calibration))

    async def ping(self) -> wire.Pong:
        """Ask how the server is; raises ServerUnreachable if it does not answer in time."""
        return await self._connection.carry(self._conversation.ping())

    async def close(self) -> None:
        """Give the session back and close the connection."""
        await self._connection.close(self._conversation.bye())
