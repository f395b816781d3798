"""Join the signals of a drive by time stamp into one episode of a body."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import numpy as np

from octoverse import motion
from octoverse.data.logs.clock import nanoseconds, nearest, numbers_at, poses_at, words_at
from octoverse.data.logs.drive import Agents, CameraLog, Drive, EgoMotion, Signal
from octoverse.data.source import Images
from octoverse.embodiment import (
    AccelerationCurvature,
    ActionGroup,
    Camera,
    Command,
    EgoHistory,
    Embodiment,
    Instruction,
    JointPosition,
    Pedals,
    State,
    Stream,
    Waypoints,
)
from octoverse.episode import Episode, Question, Tracks
from octoverse.errors import BadData

_PAST = np.arange(-15, 1) / 10
"""Seconds from now at which poses are looked at to find the speed, as Alpamayo-R1 does."""
_FEWEST = 4
"""Poses that it takes: with fewer the fit has nothing that makes it smooth."""
_Joined = tuple[Any, np.ndarray]
"""Values of t steps, and which of them are real, bool (t,) or for paths (t, rows)."""


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """A part of a drive without a gap, which becomes an episode."""

    drive: str
    """Key of the drive."""
    key: str
    """Of the episode."""
    start_ns: int
    """Time of its first step."""
    steps: int
    known_ns: tuple[int, int]
    """First and last time at which a pose may be looked at: the stretch, and what lies around it
    as far as its split reaches."""


@dataclass(frozen=True, kw_only=True)
class Join:
    """One stretch of one drive, seen as a body sees it.

    The speed is measured, or else fitted to the poses of the past 1.5 s; nothing that is observed
    comes from later than its step, but for a frame or a sample within the tolerance.
    """

    drive: Drive
    body: Embodiment
    stretch: Stretch
    tolerance: float
    """How far a frame or sample may be from its step [s]."""
    longest_gap: float
    """Samples further apart [s] have nothing between them."""
    at_ns: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        after = nanoseconds(np.arange(self.stretch.steps) / self.body.control_hz)
        object.__setattr__(self, "at_ns", self.stretch.start_ns + after)

    def episode(self, source: str) -> Episode:
        """Everything that the drive has and the body knows of."""
        seen = {name: self._stream(stream) for name, stream in self.body.observation.items()}
        done = {name: self._group(group) for name, group in self.body.action.items()}
        observation = {k: v for k, v in seen.items() if v is not None and v[1].any()}
        action = {k: v for k, v in done.items() if v is not None and v[1].any()}
        logs = {k: self.drive.cameras.get(c.role) for k, c in self.body.cameras.items()}
        return Episode(
            embodiment=self.body.name,
            source=source,
            key=self.stretch.key,
            times_ns=self.at_ns,
            observation={k: v for k, (v, _) in observation.items()},
            observation_valid={k: real for k, (_, real) in observation.items() if not real.all()},
            action={k: v for k, (v, _) in action.items()},
            action_valid={k: real for k, (_, real) in action.items() if not real.all()},
            calibration={
                k: log.calibration for k, log in logs.items() if log and log.calibration is not None
            },
            tracks=self._tracks(),
            questions=self._questions(),
        )

    def _stream(self, stream: Stream) -> _Joined | None:
        match stream:
            case Camera() if stream.role in self.drive.cameras:
                return self._images(self.drive.cameras[stream.role])
            case State():
                return self._measured(stream.names)
            case EgoHistory() if self.drive.ego is not None:
                back = np.arange(1 - stream.steps, 1) / stream.hz
                poses, real = self.relative_poses(back)
                whole: np.ndarray = np.all(real, axis=1)
                return (poses * whole[:, None, None]).astype(np.float32), whole
            case Command() if self.drive.command is not None:
                return self._command(self.drive.command, stream.names)
            case Instruction() if self.drive.instruction is not None:
                words = self.drive.instruction
                return words_at(words.times_ns, words.values, self.at_ns)
            case _:
                return None

    def _group(self, group: ActionGroup) -> _Joined | None:
        match group:
            case Waypoints() if self.drive.ego is not None:
                poses, real = self.relative_poses(np.arange(1, group.steps + 1) / group.hz)
                return (poses * real[..., None]).astype(np.float32), real
            case AccelerationCurvature() if self.drive.ego is not None:
                return self._controls(group)
            case Pedals() if self.drive.pedals is not None:
                return self._numbers(self.drive.pedals)
            case JointPosition():
                return self._measured(group.names)
            case _:
                return None

    def _images(self, log: CameraLog) -> _Joined:
        frame, real = nearest(log.times_ns, self.at_ns, self.tolerance)
        return Images(len(frame), partial(_read, log.images, frame)), real

    def _numbers(self, signal: Signal) -> _Joined:
        values, real = numbers_at(
            signal.times_ns,
            np.asarray(signal.values, np.float64),
            self.at_ns,
            self.tolerance,
            self.longest_gap,
        )
        return (values * real[:, None]).astype(np.float32), real

    def _measured(self, names: Sequence[str]) -> _Joined | None:
        columns = []
        for name in names:
            if name == "speed" and self.drive.speed is not None:
                columns.append(self._numbers(self.drive.speed))
            elif name == "speed" and self.drive.ego is not None:
                fitted, real = self._fitted_speed
                columns.append((fitted.astype(np.float32)[:, None], real))
            elif name == "steering_wheel" and self.drive.steering is not None:
                columns.append(self._numbers(self.drive.steering))
            else:
                return None
        values, reals = zip(*columns, strict=True)
        return np.concatenate(values, axis=1), np.logical_and.reduce(reals)

    def _command(self, signal: Signal, names: Sequence[str]) -> _Joined:
        words, real = words_at(signal.times_ns, signal.values, self.at_ns)
        index = {name: i for i, name in enumerate(names)}
        unknown = index.get("unknown")
        for word in sorted(set(words) - {""}):
            if word not in index and unknown is None:
                raise BadData(
                    f"{self.stretch.key}: expected commands of '{self.body.name}' "
                    f"({', '.join(names)}), got '{word}'. Map it in the reader."
                )
        found = np.array([index.get(word, unknown or 0) for word in words], np.int64)
        return found, real

    @property
    def _ego(self) -> EgoMotion:
        assert self.drive.ego is not None
        return self.drive.ego

    @cached_property
    def _here(self) -> np.ndarray:
        return poses_at(self._ego, self.at_ns)

    def relative_poses(self, offsets: np.ndarray) -> _Joined:
        """Poses (t, n, 3) at so many seconds from each step, in its frame; real (t, n)."""
        at = self.at_ns[:, None] + nanoseconds(offsets)
        first, last = self.stretch.known_ns
        real = (at >= first) & (at <= last)
        return motion.relative(self._here[:, None], poses_at(self._ego, at)), real

    @cached_property
    def _fitted_speed(self) -> tuple[np.ndarray, np.ndarray]:
        poses, real = self.relative_poses(_PAST)
        count, found = real.sum(axis=1), np.zeros(len(real))
        for many in np.unique(count[count >= _FEWEST]):
            rows = count == many
            found[rows] = motion.fit_speed(poses[rows, -many:], 0.1)
        return found, count >= _FEWEST

    def _controls(self, group: AccelerationCurvature) -> _Joined:
        poses, real = self.relative_poses(np.arange(1, group.steps + 1) / group.hz)
        speed, moving = self._fitted_speed
        count = np.where(moving, real.sum(axis=1), 0)
        found = np.zeros((*real.shape, 2))
        for many in np.unique(count[count > 0]):
            rows = np.flatnonzero(count == many)
            controls = motion.fit_unicycle(poses[rows, :many], speed[rows], 1 / group.hz)
            found[rows, :many] = np.stack(controls, axis=-1)
        # A fit to noise may ask for what no car can do: such labels are left out.
        within = ((found >= group.low) & (found <= group.high)).all(axis=-1)
        valid = within & (np.arange(group.steps) < count[:, None])
        return (found * valid[..., None]).astype(np.float32), valid

    def _tracks(self) -> Tracks | None:
        agents = self.drive.agents
        if agents is None or self.drive.ego is None:
            return None
        step, near = nearest(self.at_ns, agents.times_ns, self.tolerance)
        away = np.abs(self.at_ns[step] - agents.times_ns)
        # Of what one agent was seen at near one step, the nearest.
        order = np.lexsort((away, agents.identity, step))
        order = order[near[order]]
        same = (np.diff(step[order]) == 0) & (
            agents.identity[order][1:] == agents.identity[order][:-1]
        )
        rows = order[np.concatenate([[True], ~same])] if len(order) else order
        return _tracks_of(agents, rows, step[rows], self._here)

    def _questions(self) -> tuple[Question, ...]:
        half = 0.5 / self.body.control_hz
        times = np.array([one.at_ns for one in self.drive.questions], np.int64)
        step, near = nearest(self.at_ns, times, half)
        asked = zip(self.drive.questions, step.tolist(), near.tolist(), strict=True)
        return tuple(
            Question(step=i, kind=one.kind, question=one.question, answer=one.answer)
            for one, i, ok in asked
            if ok
        )


def _tracks_of(agents: Agents, rows: np.ndarray, step: np.ndarray, here: np.ndarray) -> Tracks:
    poses = np.concatenate([agents.positions[rows, :2], agents.headings[rows, None]], axis=1)
    frame = here[step]
    turned = np.concatenate([np.zeros((len(rows), 2)), frame[:, 2:]], axis=1)
    velocity = motion.transform(motion.inverse(turned), agents.velocity[rows])
    return Tracks(
        step=step.astype(np.int64),
        identity=agents.identity[rows],
        kind=agents.kind[rows],
        pose=motion.relative(frame, poses).astype(np.float32),
        size=agents.size[rows].astype(np.float32),
        velocity=velocity.astype(np.float32),
    )


def _read(images: Sequence[Any], frame: np.ndarray, step: int) -> Any:
    return images[int(frame[step])]
