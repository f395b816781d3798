"""Play chunks of action on a robot: by time stamp, and to a safe stop when they run out."""

import math

import numpy as np

from octoverse.embodiment import (
    ActionGroup,
    EgoHistory,
    Embodiment,
    Gripper,
    JointPosition,
    PathGroup,
    Waypoints,
)
from octoverse.episode import Action, ActionChunk, Frame
from octoverse.errors import SpecMismatch
from octoverse.motion import relative, shift_path
from octoverse.servers.odometry import Odometry


class ChunkPlayer:
    """Turns chunks, which come now and then, into one action for every control step.

    Each step plays the row whose time is nearest, so a late chunk skips what is past. A path is
    seen from where the body is now. With no new chunk it plays what it has, and then does the
    body's safe stop; with "brake", it begins to brake as late as lets it stop where the path
    ends, but never before half of the path is played.

    Args:
        body: Whose actions they are.
        execute: After so many control steps a new chunk is wanted; by default after half of it.

    Raises:
        ValueError: if `execute` is below 1, or the body has a path but no ego history.
    """

    def __init__(self, body: Embodiment, *, execute: int | None = None) -> None:
        if execute is not None and execute < 1:
            raise ValueError(f"execute must be at least 1, got {execute}.")
        histories = [(n, s) for n, s in body.observation.items() if isinstance(s, EgoHistory)]
        self._follows = any(isinstance(g, Waypoints) for g in body.action.values())
        if self._follows and not histories:
            raise ValueError(
                f"'{body.name}' moves along Waypoints and must see an EgoHistory, got none. "
                "Without it nobody knows how far along its path it is."
            )
        self.body, self.execute = body, execute
        self._history, stream = histories[0] if histories else ("", EgoHistory(steps=1, hz=1.0))
        self._odometry = Odometry(stream.hz)
        self.reset()

    def reset(self) -> None:
        """Begin a new episode: forget chunks and motion."""
        self._chunk: ActionChunk | None = None
        self._last: dict[str, np.ndarray] = {}
        self._stopped = False
        self._braked_from = (0, 0.0)
        self._odometry.clear()

    @property
    def stopped(self) -> bool:
        """Whether the last action was the safe stop's; the next chunk ends that."""
        return self._stopped

    def add(self, chunk: ActionChunk) -> None:
        """Take over a chunk, unless what is playing answers a newer observation.

        Raises:
            SpecMismatch: if it is another body's.
        """
        if chunk.embodiment != self.body.name:
            raise SpecMismatch(
                f"chunk: expected one for {self.body.name}, got one for {chunk.embodiment}."
            )
        if self._chunk is None or chunk.observed_at_ns >= self._chunk.observed_at_ns:
            self._chunk, self._stopped = chunk, False

    def needs_chunk(self, now_ns: int) -> bool:
        """Say whether it is time to ask for the next chunk."""
        if self._chunk is None or self._stopped:
            return True
        horizon = min(
            len(rows)
            if not isinstance(group, PathGroup)
            else int(len(rows) / group.hz * self.body.control_hz + 1e-6)
            for rows, group in self._groups(self._chunk)
        )
        wanted = max(1, horizon // 2) if self.execute is None else min(self.execute, horizon)
        return _nearest(self._age(now_ns) * self.body.control_hz) >= wanted

    def action(self, now_ns: int, frame: Frame | None = None) -> Action | None:
        """Give the action for the control step that begins now.

        Args:
            now_ns: By the clock of the observations.
            frame: What the body sees now; a body with a path needs it, for its ego history.

        Returns:
            One step of every action group, or None before the first chunk.

        Raises:
            ValueError: if it is earlier than the chunk's observation, or a path lacks its frame.
        """
        if self._follows:
            if frame is None or self._history not in frame:
                raise ValueError(
                    f"'{self.body.name}' moves along a path: expected the present frame with "
                    f"'{self._history}', got none. Pass it to action()."
                )
            self._odometry.update(now_ns, frame[self._history])
        if self._chunk is None:
            return None
        age = self._age(now_ns)
        if age < 0:
            raise ValueError(
                f"now_ns must be at least {self._chunk.observed_at_ns}, when the chunk was "
                f"observed, got {now_ns}. Use one clock for both."
            )
        moved = self._odometry.since(self._chunk.observed_at_ns)
        speed = self._speed(frame)
        if not self._stopped and self._has_run_out(age, moved, speed):
            self._stopped, self._braked_from = True, (now_ns, speed)
        if self._stopped:
            # The history tells the speed late; slow down as planned, not by what it says.
            began, then = self._braked_from
            slowed = then - self.body.safe_stop.deceleration * (now_ns - began) * 1e-9
            speed = max(0.0, min(speed, slowed))
        for name, group in self.body.action.items():
            rows = self._chunk.action[name]
            if self._stopped:
                self._last[name] = self._stop(name, group, rows, moved, speed)
            elif isinstance(group, Waypoints):
                self._last[name] = _onward(rows, group, age, moved)
            elif isinstance(group, PathGroup):
                self._last[name] = _later(rows, _nearest(age * group.hz))
            else:
                self._last[name] = rows[_nearest(age * self.body.control_hz)]
        return dict(self._last)

    def _groups(self, chunk: ActionChunk) -> list[tuple[np.ndarray, ActionGroup]]:
        return [(chunk.action[name], group) for name, group in self.body.action.items()]

    def _age(self, now_ns: int) -> float:
        assert self._chunk is not None
        return (now_ns - self._chunk.observed_at_ns) * 1e-9

    def _has_run_out(self, age: float, moved: np.ndarray | None, speed: float) -> bool:
        assert self._chunk is not None
        stop = self.body.safe_stop
        for rows, group in self._groups(self._chunk):
            if not isinstance(group, PathGroup):
                if _nearest(age * self.body.control_hz) >= len(rows):
                    return True
                continue
            lasts = len(rows) / group.hz
            if stop.kind == "brake":
                lasts = max(lasts / 2, lasts - speed / stop.deceleration)
            if age > lasts - 1e-6 or (isinstance(group, Waypoints) and age > 0 and moved is None):
                return True
        return False

    def _speed(self, frame: Frame | None) -> float:
        if not self._follows or frame is None or len(frame[self._history]) < 2:
            return 0.0
        stream = self.body.observation[self._history]
        assert isinstance(stream, EgoHistory)
        return float(np.hypot(*frame[self._history][-2, :2]) * stream.hz)

    def _stop(
        self,
        name: str,
        group: ActionGroup,
        rows: np.ndarray,
        moved: np.ndarray | None,
        speed: float,
    ) -> np.ndarray:
        stop = self.body.safe_stop
        if isinstance(group, Waypoints):
            path = np.zeros((0, 3)) if moved is None else relative(moved, rows)
            slowing = stop.deceleration if stop.kind == "brake" else math.inf
            return brake(path, group.hz, speed, slowing, len(rows))
        if stop.kind == "hold" and isinstance(group, JointPosition | Gripper):
            return self._last.get(name, rows[0])
        return np.zeros_like(rows if isinstance(group, PathGroup) else rows[0])


def brake(path: np.ndarray, hz: float, speed: float, deceleration: float, steps: int) -> np.ndarray:
    """Follow a path ever more slowly until the body stands.

    Args:
        path: Poses (n, 3) in the present frame, some of which may lie behind; beyond the last it
            goes straight on.
        hz: Rate of the rows wanted.
        speed: At present [m/s].
        deceleration: How fast to slow down [m/s^2].
        steps: Rows wanted.

    Returns:
        float32 (steps, 3), row i at (i + 1) / hz seconds from now.
    """
    if len(path):
        path = path[int(np.argmin(np.hypot(path[:, 0], path[:, 1]))) :]
        path = path[np.maximum.accumulate(path[:, 0] > 0)]
    track = np.concatenate([np.zeros((1, 3)), path])
    leg = np.hypot(*np.diff(track[:, :2], axis=0).T)
    track = track[np.concatenate([[True], leg > 1e-6])]
    along = np.concatenate([[0.0], np.cumsum(leg[leg > 1e-6])])
    time = np.minimum(np.arange(1, steps + 1) / hz, speed / deceleration)
    slowed = 0.0 if math.isinf(deceleration) else 0.5 * deceleration * time**2
    way = speed * time - slowed
    heading = np.interp(way, along, np.unwrap(track[:, 2]))
    beyond = np.maximum(way - along[-1], 0.0)
    x = np.interp(way, along, track[:, 0]) + beyond * np.cos(track[-1, 2])
    y = np.interp(way, along, track[:, 1]) + beyond * np.sin(track[-1, 2])
    return np.stack([x, y, heading], axis=-1).astype(np.float32)


def _onward(rows: np.ndarray, group: Waypoints, age: float, moved: np.ndarray | None) -> np.ndarray:
    """What is left of a path, seen from where the body is now."""
    if age == 0 or moved is None:
        return rows
    return shift_path(rows, group.hz, age, moved)


def _later(rows: np.ndarray, first: int) -> np.ndarray:
    """What is left of controls (steps, 2); at the end the acceleration is zero."""
    left = np.repeat(rows[-1:], len(rows), axis=0)
    left[:, 0] = 0.0
    left[: len(rows) - first] = rows[first:]
    return left


def _nearest(place: float) -> int:
    return math.floor(place + 0.5)
