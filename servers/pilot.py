"""What a control loop calls: it plays chunks, and asks for the next without waiting for them."""

import logging
import math
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from octoverse.embodiment import Embodiment
from octoverse.episode import Action, ActionChunk, Frame
from octoverse.errors import OctoverseError, RemoteError, SpecMismatch
from octoverse.servers.player import ChunkPlayer

logger = logging.getLogger(__name__)

_FRAMES = 32
"""Frames that wait for a policy that is slow or away; older ones are dropped."""
_DELAYS, _QUANTILE = 32, 0.95
_LOG_EVERY_NS = 10**9
_LAST_CALL_S = 10.0


class Asked(Protocol):
    """A policy that may be told what will be executed anyway: a Client, or a LocalPolicy."""

    body: Embodiment

    @property
    def frames(self) -> int:
        """How many frames a window has."""
        ...

    def act(
        self,
        frame: Frame,
        *,
        observed_at_ns: int | None = None,
        chunk_ns: int | None = None,
        executed_steps: int = 0,
        frozen_steps: int = 0,
    ) -> ActionChunk:
        """Ask for the next actions; see Client.act."""
        ...

    def observe(self, frame: Frame, *, observed_at_ns: int | None = None) -> None:
        """Add a frame to the window, without asking for actions."""
        ...

    def reset(self, seed: int = 0) -> None:
        """Begin a new episode."""
        ...


@dataclass(frozen=True, kw_only=True)
class _Question:
    episode: int
    frame: Frame
    at_ns: int
    playing: tuple[int, int] | None
    frozen_steps: int


class Pilot:
    """Drives one robot: every control step gets its action at once, whatever the policy does.

    A thread of its own asks the policy, one question at a time, always with the newest frame. It
    asks when the player wants a chunk, and earlier where the answer would otherwise come too
    late. Meanwhile the player plays what it has, and then does the body's safe stop: when answers
    are late, when the server is gone, and before the first answer.

    From then on the policy belongs to that thread: call it no more yourself, and close the pilot
    before the policy.

        with Client(address, body) as policy, Pilot(policy, ChunkPlayer(body)) as pilot:
            while robot.running():
                action = pilot.step(robot.see())
                if action is not None:
                    robot.do(action)

    Args:
        policy: Answers; a Client or a LocalPolicy.
        player: Plays the answers; with overlap="blend" the policy is told what will be executed
            while it thinks.

    Raises:
        SpecMismatch: if they are for different bodies.
    """

    def __init__(self, policy: Asked, player: ChunkPlayer) -> None:
        if policy.body.name != player.body.name:
            raise SpecMismatch(
                f"pilot: expected a policy and a player for one body, got a policy for "
                f"{policy.body.name} and a player for {player.body.name}."
            )
        self.policy, self.player = policy, player
        self.trouble: Exception | None = None
        """Why the last question got no chunk; None once one was answered."""
        self.troubles = 0
        """How often that happened."""
        self._delays: deque[float] = deque(maxlen=_DELAYS)
        self._told_ns, self._untold = -_LOG_EVERY_NS, 0
        self._changed = threading.Condition()
        self._episode, self._closed = 0, False
        self._seed: int | None = None
        self._clear()
        self._thread = threading.Thread(target=self._answer, name="pilot", daemon=True)
        self._thread.start()

    def _clear(self) -> None:
        self._frames: deque[tuple[int, Frame]] = deque(maxlen=_FRAMES)
        self._question: _Question | None = None
        self._outcomes: list[tuple[_Question | None, ActionChunk | Exception]] = []
        self._asking, self._stood, self._again_ns = False, True, 0

    @property
    def delay_s(self) -> float:
        """How long an answer takes [s]: so fast were 95 of 100 of the last ones.

        From the step that saw the frame to the step that could play the answer. What was asked
        while nothing was played does not count: a first answer may take much longer.
        """
        if not self._delays:
            return 0.0
        return sorted(self._delays)[math.ceil(_QUANTILE * len(self._delays)) - 1]

    def step(self, frame: Frame, now_ns: int | None = None) -> Action | None:
        """Give the action for the control step that begins now; never waits.

        Args:
            frame: What the body sees.
            now_ns: When, by a monotonic clock; now if not given.

        Returns:
            One step of every action group. None only where nobody can say what a safe stop is:
            before the first answer, for a body that must hold positions or grippers. Then send
            nothing: the robot stays where it is, under its own control.
        """
        now_ns = time.monotonic_ns() if now_ns is None else now_ns
        self._collect(now_ns)
        action = self.player.action(now_ns, frame)
        self._show(frame, now_ns)
        if self.player.stopped and not self._stood:
            why = self.trouble or "no answer has come in time"
            logger.warning("%s: safe stop: %s", self.player.body.name, why)
        self._stood = self.player.stopped
        return action

    def reset(self, seed: int = 0) -> None:
        """Begin a new episode: forget chunks, frames and questions; never waits.

        Args:
            seed: Of the noise of sampled actions.
        """
        self.player.reset()
        self.trouble = None
        with self._changed:
            self._episode += 1
            self._seed = seed
            self._clear()

    def close(self) -> None:
        """End the thread; waits up to ten seconds for what it is asking, and no longer."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join(_LAST_CALL_S)
        if self._thread.is_alive():
            logger.warning("%s: the policy hangs, left it alone", self.player.body.name)

    def __enter__(self) -> "Pilot":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _collect(self, now_ns: int) -> None:
        """Take in what the policy has answered since the last step."""
        with self._changed:
            outcomes, self._outcomes = self._outcomes, []
        for question, result in outcomes:
            self._asking = self._asking and question is None
            if isinstance(result, Exception):
                self._note(result, now_ns)
            elif question is not None:
                self.player.add(result, frozen_steps=question.frozen_steps)
                self.trouble = None
                if question.playing is not None:
                    self._delays.append((now_ns - question.at_ns) * 1e-9)

    def _note(self, error: Exception, now_ns: int) -> None:
        self.trouble, self.troubles, self._untold = error, self.troubles + 1, self._untold + 1
        if isinstance(error, RemoteError) and error.retry_after is not None:
            self._again_ns = now_ns + round(error.retry_after * 1e9)
        if now_ns - self._told_ns >= _LOG_EVERY_NS:
            expected = isinstance(error, OctoverseError)
            logger.warning(
                "%s: no chunk, %d times since this was last said: %s",
                *(self.player.body.name, self._untold, error),
                exc_info=None if expected else error,
            )
            self._told_ns, self._untold = now_ns, 0

    def _show(self, frame: Frame, now_ns: int) -> None:
        """Hand the frame to the thread, if the policy needs it."""
        with self._changed:
            waiting = self._question
            if waiting is not None or (not self._asking and self._wants_chunk(now_ns)):
                if waiting is not None and self.policy.frames > 1:
                    self._frames.append((waiting.at_ns, waiting.frame))
                self._asking = True
                self._question = _Question(
                    episode=self._episode,
                    frame=_own(frame),
                    at_ns=now_ns,
                    playing=self.player.playing(now_ns),
                    frozen_steps=self.player.frozen_steps(self.delay_s, now_ns),
                )
            elif self.policy.frames > 1:
                self._frames.append((now_ns, _own(frame)))
            self._changed.notify()

    def _wants_chunk(self, now_ns: int) -> bool:
        if now_ns < self._again_ns:
            return False
        in_time = self.delay_s + 1 / self.player.body.control_hz
        return self.player.needs_chunk(now_ns) or self.player.remaining_s(now_ns) <= in_time

    def _answer(self) -> None:
        """The thread: reset, show and ask, in this order, whatever there is."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._frames or self._question)
                if self._closed:
                    return
                episode, seed, self._seed = self._episode, self._seed, None
                frames, question = list(self._frames), self._question
                self._frames.clear()
                self._question = None
            result: ActionChunk | Exception | None
            try:
                if seed is not None:
                    self.policy.reset(seed)
                    seed = None
                for at_ns, frame in frames:
                    self.policy.observe(frame, observed_at_ns=at_ns)
                result = self._asked(question) if question is not None else None
            except Exception as error:
                result = error
            with self._changed:
                if episode != self._episode:
                    continue
                if seed is not None:
                    self._seed = seed
                if result is not None:
                    self._outcomes.append((question, result))

    def _asked(self, question: _Question) -> ActionChunk:
        chunk_ns, executed = question.playing or (None, 0)
        return self.policy.act(
            question.frame,
            observed_at_ns=question.at_ns,
            chunk_ns=chunk_ns,
            executed_steps=executed,
            frozen_steps=question.frozen_steps,
        )


def _own(frame: Frame) -> Frame:
    """Copy a frame: cameras write the next one into the same memory."""
    return {k: v.copy() if isinstance(v, np.ndarray) else v for k, v in frame.items()}
