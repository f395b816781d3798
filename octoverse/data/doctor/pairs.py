"""Which number of an action is measured by which number of the state, told from their names."""

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np

from octoverse.data.doctor.looking import Recording, evenly, series
from octoverse.embodiment import (
    Embodiment,
    EndEffectorDelta,
    Gripper,
    JointPosition,
    JointVelocity,
    State,
)
from octoverse.motion import wrap

Kind = Literal["delta", "velocity", "position", "gripper"]
_KINDS: dict[type, Kind] = {
    EndEffectorDelta: "delta",
    JointVelocity: "velocity",
    JointPosition: "position",
    Gripper: "gripper",
}
_STEPS = 50_000
"""Steps that are enough for any relation; more episodes than that are thinned evenly."""


@dataclass(frozen=True, kw_only=True)
class Pair:
    """One number of an action group and the number of a state that measures it."""

    name: str
    unit: str
    """Of the state."""
    number: int
    """In the group."""
    stream: str
    place: int
    """In the stream."""


@dataclass(frozen=True, kw_only=True)
class Tied:
    """An action group with what is measured of it, over the episodes looked at; p pairs."""

    group: str
    kind: Kind
    pairs: tuple[Pair, ...]
    actions: tuple[np.ndarray, ...]
    """For each episode float64 (t, p), NaN where not valid."""
    states: tuple[np.ndarray, ...]
    """For each episode float64 (t, p), NaN where not valid."""
    seconds: tuple[np.ndarray, ...]
    """For each episode float64 (t,)."""

    @property
    def names(self) -> tuple[str, ...]:
        """Of the pairs."""
        return tuple(pair.name for pair in self.pairs)

    def moves(self, states: np.ndarray, seconds: np.ndarray) -> np.ndarray:
        """What the state did in each step, (t - 1, p): change, or change per second."""
        found = np.diff(states, axis=0)
        for i, pair in enumerate(self.pairs):
            # Numbers far beyond a turn are no radians, and do not wrap.
            if pair.unit == "rad" and np.nanmax(np.abs(states[:, i]), initial=0) < 7:
                found[:, i] = wrap(found[:, i])
        if self.kind == "velocity":
            found = found / np.maximum(np.diff(seconds), 1e-9)[:, None]
        return found

    def at_lag(self, lag: int) -> tuple[np.ndarray, np.ndarray]:
        """Actions and what was measured `lag` steps later, (n, p) each, rows that are whole.

        Measured is the state for positions and grippers, its moves for the others.
        """
        found = []
        for action, state, seconds in zip(self.actions, self.states, self.seconds, strict=True):
            kept = state if self.kind in ("position", "gripper") else self.moves(state, seconds)
            count = min(len(action), len(kept)) - abs(lag)
            if count > 0:
                first, then = max(-lag, 0), max(lag, 0)
                found.append((action[first : first + count], kept[then : then + count]))
        if not found:
            return np.zeros((0, len(self.pairs))), np.zeros((0, len(self.pairs)))
        left, right = (np.concatenate(part) for part in zip(*found, strict=True))
        whole = np.isfinite(left).all(1) & np.isfinite(right).all(1)
        return left[whole], right[whole]


def steady(rows: np.ndarray) -> np.ndarray:
    """Numbers (n, p), the outermost hundredth at either end drawn in, so that no glitch decides."""
    if not len(rows):
        return rows
    low, high = np.quantile(rows, [0.01, 0.99], axis=0)
    return np.clip(rows, low, high)


def tied_groups(recording: Recording) -> list[Tied]:
    """The action groups of which the state measures something."""
    found = []
    for group, spec in recording.body.action.items():
        kind = _KINDS.get(type(spec))
        pairs = pairs_of(recording.body, group)
        if kind is None or not pairs:
            continue
        actions, states, seconds = [], [], []
        sizes = [len(episode) for episode in recording.episodes]
        for i in evenly(len(sizes), max(1, _STEPS * len(sizes) // max(sum(sizes), 1))):
            episode = recording.episodes[i]
            done = series(episode, "action", group)
            seen = {pair.stream: series(episode, "observation", pair.stream) for pair in pairs}
            if done is None or any(values is None for values in seen.values()):
                continue
            actions.append(done[:, [pair.number for pair in pairs]])
            columns = [np.asarray(seen[pair.stream])[:, pair.place] for pair in pairs]
            states.append(np.stack(columns, axis=1))
            seconds.append((episode.times_ns - episode.times_ns[0]) / 1e9)
        if actions:
            found.append(
                Tied(
                    group=group,
                    kind=kind,
                    pairs=pairs,
                    actions=tuple(actions),
                    states=tuple(states),
                    seconds=tuple(seconds),
                )
            )
    return found


def pairs_of(body: Embodiment, group: str) -> tuple[Pair, ...]:
    """What the state measures of one action group."""
    spec = body.action[group]
    found = []
    for number, name in enumerate(spec.names):
        place = _place(body, group, number)
        if place is not None:
            found.append(
                Pair(name=name, number=number, unit=place[2], stream=place[0], place=place[1])
            )
    return tuple(found)


def _place(body: Embodiment, group: str, number: int) -> tuple[str, int, str] | None:
    """Stream, place in it and unit of what measures one number."""
    spec = body.action[group]
    name, unit = spec.names[number], spec.units[number].removesuffix("/s")
    wanted = {name}
    if isinstance(spec, EndEffectorDelta):
        wanted = {re.sub(r"(^|_)d(x|y|z|roll|pitch|yaw)$", r"\1\2", name)}
    elif isinstance(spec, JointVelocity):
        wanted |= {re.sub(r"_?velocity$", "", name)}
    openings = []
    # Both arms of a body may number their joints alike: the stream of the group's name comes first.
    for stream in sorted(body.observation, key=lambda other: other != group):
        state = body.observation[stream]
        if not isinstance(state, State):
            continue
        for place, other in enumerate(state.names):
            same_unit = state.units[place] == unit or isinstance(spec, Gripper)
            if other in wanted and same_unit:
                return stream, place, state.units[place]
            if "opening" in other:
                openings.append((stream, place, state.units[place]))
    # One gripper and one opening belong together, however they are called.
    if isinstance(spec, Gripper) and spec.size == 1 and len(openings) == 1:
        return openings[0]
    return None
