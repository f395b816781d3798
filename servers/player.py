"""Play chunks of action on a robot: by time stamp, and to a safe stop when they run out."""

import math

import numpy as np

from octoverse.embodiment import EgoHistory, Embodiment, PathGroup, Waypoints
from octoverse.episode import Action, ActionChunk, Frame
from octoverse.errors import SpecMismatch
from octoverse.servers.braking import Stopping
from octoverse.servers.odometry import Odometry
from octoverse.servers.overlap import Overlap, OverlapKind, nearest


class ChunkPlayer:
    """Turns chunks, which come now and then, into one action for every control step.

    Each step plays the row whose time is nearest, so a late chunk skips what is past. A path is
    seen from where the body is now. With no new chunk it plays what it has, and then does the
    body's safe stop; with "brake", it begins to brake as late as lets it stop where the path
    ends, but never before half of the path is played.

    After a safe stop the next chunk stands alone: what was planned before is void. While a body
    is held no row is past, so it begins with the row where the body stands, and loses no delta on
    its way; what drives goes by time. Only joint positions go on from where they were held, if
    the player blends: slower deltas would not lead where the chunk means to grip.

    Args:
        body: Whose actions they are.
        execute: After so many control steps a new chunk is wanted; by default after half of it.
        overlap: What is done where chunks overlap: play the "newest", average them in an
            "ensemble", or let each "blend" into the next.
        decay: Of the weights exp(-decay i) of an ensemble, i = 0 for the oldest chunk.

    Raises:
        ValueError: if `execute` is below 1, `decay` below 0, or the body has a path but no ego
            history.
    """

    def __init__(
        self,
        body: Embodiment,
        *,
        execute: int | None = None,
        overlap: OverlapKind = "newest",
        decay: float = 0.01,
    ) -> None:
        if execute is not None and execute < 1:
            raise ValueError(f"execute must be at least 1, got {execute}.")
        if not decay >= 0:
            raise ValueError(f"decay must be at least 0, got {decay}.")
        histories = [(n, s) for n, s in body.observation.items() if isinstance(s, EgoHistory)]
        self._follows = any(isinstance(g, Waypoints) for g in body.action.values())
        if self._follows and not histories:
            raise ValueError(
                f"'{body.name}' moves along Waypoints and must see an EgoHistory, got none. "
                "Without it nobody knows how far along its path it is."
            )
        self.body, self.execute = body, execute
        self._history, stream = histories[0] if histories else ("", EgoHistory(steps=1, hz=1.0))
        self._history_hz = stream.hz
        self._odometry = Odometry(stream.hz)
        self._chunks = Overlap(body, overlap, decay)
        self.reset()

    def reset(self) -> None:
        """Begin a new episode: forget chunks and motion."""
        self._chunks.clear()
        self._newest_ns: int | None = None
        self._last: Action = {}
        self._speed = 0.0
        self._stopped = False
        self._stopping: Stopping | None = None
        self._odometry.clear()

    @property
    def stopped(self) -> bool:
        """Whether the last action was the safe stop's; the next chunk ends that."""
        return self._stopped

    def add(self, chunk: ActionChunk, *, frozen_steps: int = 0) -> None:
        """Take over a chunk, unless what is playing answers a newer observation.

        Args:
            chunk: What the policy answered.
            frozen_steps: Of its first rows, how many stand in for what was promised when it was
                asked for; a player that blends plays what it had until they are past.

        Raises:
            SpecMismatch: if it is another body's.
        """
        if chunk.embodiment != self.body.name:
            raise SpecMismatch(
                f"chunk: expected one for {self.body.name}, got one for {chunk.embodiment}."
            )
        if self._newest_ns is None or chunk.observed_at_ns >= self._newest_ns:
            self._newest_ns, self._stopped = chunk.observed_at_ns, False
            self._chunks.add(chunk, frozen_steps)

    def needs_chunk(self, now_ns: int) -> bool:
        """Say whether it is time to ask for the next chunk."""
        chunk = self._chunks.newest
        if chunk is None or self._stopped:
            return True
        horizon = min(
            len(chunk.action[name])
            if not isinstance(group, PathGroup)
            else int(len(chunk.action[name]) / group.hz * self.body.control_hz + 1e-6)
            for name, group in self.body.action.items()
        )
        wanted = max(1, horizon // 2) if self.execute is None else min(self.execute, horizon)
        return nearest(self._chunks.age_s(now_ns) * self.body.control_hz) >= wanted

    def playing(self, now_ns: int) -> tuple[int, int] | None:
        """Say what a policy must know to go on where the robot will be.

        Returns:
            When the chunk that is playing was observed [ns], and how many of its rows are past;
            None while nothing is played.
        """
        chunk = self._chunks.newest
        if chunk is None or self._stopped:
            return None
        return chunk.observed_at_ns, nearest(self._chunks.age_s(now_ns) * self.body.control_hz)

    def frozen_steps(self, delay_s: float, now_ns: int) -> int:
        """Say how many rows of the chunk that is playing will be played in the next `delay_s`.

        A chunk that is asked for now, and comes after that delay, must begin with them. Only a
        player that blends promises them, and only rows of control steps, not of paths.
        """
        chunk, playing = self._chunks.newest, self.playing(now_ns)
        counts = [
            len(chunk.action[name])
            for name, group in self.body.action.items()
            if chunk is not None and not isinstance(group, PathGroup)
        ]
        if playing is None or not counts or self._chunks.kind != "blend":
            return 0
        steps = math.ceil(delay_s * self.body.control_hz - 1e-6)
        return max(0, min(steps, min(counts) - playing[1]))

    def remaining_s(self, now_ns: int) -> float:
        """Say how long it is until the safe stop begins if no chunk comes [s]; 0 within one."""
        chunk = self._chunks.newest
        if chunk is None or self._stopped:
            return 0.0
        return max(0.0, self._lasts(chunk) - self._chunks.age_s(now_ns))

    def action(self, now_ns: int, frame: Frame | None = None) -> Action | None:
        """Give the action for the control step that begins now.

        Before the first chunk this is the safe stop too: zeros, or braking straight ahead. Only
        where positions or grippers are to be held there is nothing to give, since nobody has said
        where they are: send nothing then, and the robot stays under its own control.

        Args:
            now_ns: By the clock of the observations.
            frame: What the body sees now; a body with a path needs it, for its ego history.

        Returns:
            One step of every action group, or None before the first chunk of such a body.

        Raises:
            ValueError: if it is earlier than the chunk's observation, or a path lacks its frame.
        """
        if self._follows:
            if frame is None or self._history not in frame:
                raise ValueError(
                    f"'{self.body.name}' moves along a path: expected the present frame with "
                    f"'{self._history}', got none. Pass it to action()."
                )
            self._look(now_ns, frame[self._history])
        chunk = self._chunks.newest
        if chunk is not None and now_ns < chunk.observed_at_ns:
            raise ValueError(
                f"now_ns must be at least {chunk.observed_at_ns}, when the chunk was "
                f"observed, got {now_ns}. Use one clock for both."
            )
        if chunk is None or self._stopped or self._has_run_out(chunk, now_ns):
            return self._stop(now_ns)
        if self._stopping is not None and self.body.safe_stop.kind == "hold":
            self._chunks.wait(self._stopping.began_ns, now_ns)
        self._stopping = None
        self._last = self._chunks.plan(now_ns, self._odometry.since, self._last)
        return dict(self._last)

    def _look(self, now_ns: int, history: np.ndarray) -> None:
        self._odometry.update(now_ns, history)
        moves = len(history) >= 2
        self._speed = float(np.hypot(*history[-2, :2]) * self._history_hz) if moves else 0.0

    def _lasts(self, chunk: ActionChunk) -> float:
        """How long after its observation a chunk can be played [s], before the stop begins."""
        stop, found = self.body.safe_stop, []
        for name, group in self.body.action.items():
            rows = len(chunk.action[name])
            if not isinstance(group, PathGroup):
                found.append((rows - 0.5) / self.body.control_hz)
                continue
            lasts = rows / group.hz
            if stop.kind == "brake":
                lasts = max(lasts / 2, lasts - self._speed / stop.deceleration)
            found.append(lasts)
        return min(found)

    def _has_run_out(self, chunk: ActionChunk, now_ns: int) -> bool:
        age = self._chunks.age_s(now_ns)
        lost = self._follows and age > 0 and self._odometry.since(chunk.observed_at_ns) is None
        return lost or age > self._lasts(chunk) - 1e-6

    def _stop(self, now_ns: int) -> Action | None:
        self._stopped = True
        if self._stopping is None:
            self._stopping = Stopping(self.body, now_ns, self._speed, self._last, self._way(now_ns))
        self._chunks.clear()
        moved = self._odometry.since(self._stopping.began_ns)
        action = self._stopping.action(now_ns, self._speed, moved)
        if action is not None:
            self._last = action
        return action

    def _way(self, now_ns: int) -> dict[str, np.ndarray]:
        """The paths to brake along, as far as it is known where they lead."""
        chunk = self._chunks.newest
        if chunk is None or self._odometry.since(chunk.observed_at_ns) is None:
            return {}
        plan = self._chunks.plan(now_ns, self._odometry.since, self._last)
        return {k: plan[k] for k, group in self.body.action.items() if isinstance(group, Waypoints)}
