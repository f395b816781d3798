"""Makes clean recordings of any body: everything moves, and everything fits together."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from octoverse import registry
from octoverse.data.doctor.finding import Finding, Report
from octoverse.data.doctor.pairs import pairs_of
from octoverse.data.doctor.runner import examine
from octoverse.embodiment import (
    Camera,
    Command,
    EgoHistory,
    Embodiment,
    EndEffectorDelta,
    Gripper,
    Instruction,
    JointVelocity,
    PathGroup,
    Route,
    State,
    Waypoints,
)
from octoverse.episode import Episode
from octoverse.motion import relative

WORDS = ("lift the red cube", "push the lid aside", "follow the road to the left")
Change = Callable[[Episode], Episode]


@dataclass(frozen=True, kw_only=True)
class MadeSource:
    """Episodes in memory."""

    episodes: Sequence[Episode]
    name: str = "made"

    @property
    def embodiment(self) -> str:
        return self.episodes[0].embodiment if self.episodes else "rc_car"

    def __len__(self) -> int:
        return len(self.episodes)

    def lengths(self) -> np.ndarray:
        return np.array([len(episode) for episode in self.episodes], np.int64)

    def episode(self, index: int) -> Episode:
        return self.episodes[index]

    def fingerprint(self) -> str:
        return "made"


@pytest.fixture(scope="session")
def make() -> Callable[..., MadeSource]:
    """Makes a clean source of a body, by its name; `change` plants a fault in every episode."""

    def make(
        body: str, *, change: Change | None = None, episodes: int = 6, seed: int = 0, **more: Any
    ) -> MadeSource:
        spec: Embodiment = registry.load("embodiment", body)
        made = [clean_episode(spec, number, (seed, number)) for number in range(episodes)]
        return MadeSource(episodes=[change(one) if change else one for one in made], **more)

    return make


@pytest.fixture(scope="session")
def told() -> Callable[..., list[Finding]]:
    """Examines a source and gives the faults and suspicions, or those of other severities."""

    def told(
        source: MadeSource, *severities: str, against: Sequence[MadeSource] = ()
    ) -> list[Finding]:
        wanted = severities or ("fault", "suspicion")
        report: Report = examine(source, against=against)
        return [finding for finding in report.findings if finding.severity in wanted]

    return told


@pytest.fixture(scope="session")
def changed() -> Callable[..., Change]:
    """Makes a change of one stream or group out of a function of its values."""

    def changed(side: str, name: str, by: Callable[[Any], Any]) -> Change:
        def change(episode: Episode) -> Episode:
            given = dict(getattr(episode, side))
            given[name] = by(given[name])
            other: dict[str, Any] = {side: given}
            return replace(episode, **other)

        return change

    return changed


def clean_episode(body: Embodiment, number: int, seed: tuple[int, int]) -> Episode:
    rng = np.random.default_rng(seed)
    steps, dt = 60 + 3 * number, 1 / body.control_hz
    count = steps + 3
    states = {
        name: _smooth(spec, count, rng)
        for name, spec in body.observation.items()
        if isinstance(spec, State)
    }
    action: dict[str, np.ndarray] = {}
    drive = _Drive(rng, seconds=steps * dt)
    times = np.arange(steps) * dt
    for group, spec in body.action.items():
        if isinstance(spec, PathGroup):
            ahead = (np.arange(spec.steps) + 1) / spec.hz
            path = drive.seen_from(times, ahead)
            if not isinstance(spec, Waypoints):
                path = np.zeros((steps, spec.steps, spec.size))
                path[...] = rng.normal(0, 0.01, (steps, spec.steps, spec.size))
            action[group] = path.astype(np.float32)
            continue
        low, high = np.array(spec.low), np.array(spec.high)
        values = _between(low, high, _curves(steps, spec.size, rng), 0.6)
        if isinstance(spec, Gripper):
            values = np.stack([_hand(steps, rng) for _ in range(spec.size)], axis=1)
        for pair in pairs_of(body, group):
            state, i = states[pair.stream], pair.number
            column = state[:, pair.place]
            if isinstance(spec, Gripper):
                state[:steps, pair.place] = _follow(values[:, i])
                state[steps:, pair.place] = values[-1, i]
            elif isinstance(spec, EndEffectorDelta | JointVelocity):
                per = 1.0 if isinstance(spec, EndEffectorDelta) else dt
                limit = 0.6 * high[i] * per
                fastest = np.abs(np.diff(column)).max()
                column = column.mean() + (column - column.mean()) * min(1, limit / fastest)
                state[:, pair.place] = column
                moved = np.diff(column)[:steps] / per
                values[:, i] = moved + rng.normal(0, 0.05 * moved.std(), steps)
            else:
                values[:, i] = column[2 : steps + 2]
        action[group] = values.astype(np.float32)
    observation: dict[str, Any] = {}
    for name, stream in body.observation.items():
        match stream:
            case State():
                observation[name] = states[name][:steps].astype(np.float32)
                if "speed" in stream.names:
                    observation[name][:, stream.names.index("speed")] = drive.speed(times)
            case EgoHistory():
                back = np.arange(1 - stream.steps, 1) / stream.hz
                observation[name] = drive.seen_from(times, back).astype(np.float32)
            case Camera():
                shape = (steps, max(8, stream.height // 16), max(8, stream.width // 16), 3)
                observation[name] = rng.integers(0, 256, shape, np.uint8)
            case Instruction():
                observation[name] = [WORDS[number % len(WORDS)]] * steps
            case Command():
                observation[name] = rng.integers(len(stream.names), size=steps)
            case Route():
                observation[name] = rng.normal(0, 1, (steps, stream.points, 2)).astype(np.float32)
    jitter = rng.normal(0, 0.01 * dt, steps)
    return Episode(
        embodiment=body.name,
        source="made",
        key=str(number),
        times_ns=np.round((times + jitter) * 1e9).astype(np.int64),
        observation=observation,
        action=action,
    )


class _Drive:
    """A drive with changing speed and turns, as functions of time."""

    def __init__(self, rng: np.random.Generator, seconds: float) -> None:
        self.times = np.arange(-20.0, seconds + 20.0, 0.01)
        self.phase = rng.uniform(0, 6, 2)
        turn = 0.15 * np.sin(0.4 * self.times + self.phase[1])
        heading = np.cumsum(turn) * 0.01
        speed = self.speed(self.times)
        x, y = np.cumsum(speed * np.cos(heading)) * 0.01, np.cumsum(speed * np.sin(heading)) * 0.01
        self.poses = np.stack([x, y, heading], axis=1)

    def speed(self, times: np.ndarray) -> np.ndarray:
        return 8 + 3 * np.sin(0.5 * times + self.phase[0])

    def seen_from(self, times: np.ndarray, offsets: np.ndarray) -> np.ndarray:
        return relative(self._at(times)[:, None], self._at(times[:, None] + offsets))

    def _at(self, times: np.ndarray) -> np.ndarray:
        return np.stack([np.interp(times, self.times, self.poses[:, i]) for i in range(3)], axis=-1)


def _smooth(spec: State, count: int, rng: np.random.Generator) -> np.ndarray:
    low, high = np.array(spec.low), np.array(spec.high)
    return _between(low, high, _curves(count, spec.size, rng), 0.3)


def _between(low: np.ndarray, high: np.ndarray, curves: np.ndarray, share: float) -> np.ndarray:
    return (low + high) / 2 + share * (high - low) / 2 * curves


def _curves(count: int, size: int, rng: np.random.Generator) -> np.ndarray:
    """Smooth curves (count, size) within -1 and 1, each its own."""
    times = np.arange(count)[:, None, None]
    waves = np.sin(times * rng.uniform(0.05, 0.4, (size, 4)) + rng.uniform(0, 6, (size, 4)))
    return waves.mean(axis=2)


def _hand(steps: int, rng: np.random.Generator) -> np.ndarray:
    """Opens, closes on something, opens again."""
    opening = np.ones(steps)
    opening[rng.integers(12, 20) : rng.integers(38, 46)] = 0
    return opening


def _follow(command: np.ndarray) -> np.ndarray:
    found = np.empty_like(command)
    held = command[0]
    for t, wanted in enumerate(command):
        found[t] = held
        held += 0.4 * (0.9 * wanted + 0.05 - held)
    return found
