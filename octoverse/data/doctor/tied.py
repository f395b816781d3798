"""Action groups beside what is measured of them, at any lag."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from octoverse.data.doctor.pairs import KINDS, Kind, Pair, pairs_of
from octoverse.data.doctor.sampling import evenly, series
from octoverse.embodiment import Embodiment
from octoverse.episode import Episode
from octoverse.motion import wrap

LONGEST = 1.0
"""Seconds looked ahead and back."""
ROWS = 40
"""Steps needed at each lag."""
_MARGIN = 0.1
"""By how much a lag must fit better than 0 to count, as a share of what is left unexplained."""
_BACKWARD = 0.25
"""The same for lags below 0: that a state should come before its action wants more proof."""
_STEPS = 20_000
"""Steps that are enough for any relation; more episodes than that are thinned evenly."""


@dataclass(frozen=True, kw_only=True)
class Lag:
    """At which lag the state matches the action best."""

    steps: int
    unexplained: dict[int, float]
    """Lag to the share of the movement (variance) that it leaves unexplained."""


@dataclass(frozen=True, kw_only=True)
class Tied:
    """An action group with what is measured of it, over the episodes looked at; p pairs.

    What is measured of positions and grippers is the state, of deltas its moves, of velocities its
    moves per second.
    """

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

    @cached_property
    def measured(self) -> tuple[np.ndarray, ...]:
        """For each episode (t, p), or (t - 1, p) for moves."""
        if self.kind in ("position", "gripper"):
            return self.states
        return tuple(map(self._moves, self.states, self.seconds))

    def at_lag(self, lag: int, *, steadied: bool = True) -> tuple[np.ndarray, np.ndarray]:
        """Actions and what was measured `lag` steps later, (n, p) each, rows that are whole.

        Args:
            lag: Below 0 for what was measured before.
            steadied: Draw the outermost hundredth at either end in, so that no glitch decides.
        """
        sides = self.steadied if steadied else (self.actions, self.measured)
        found = []
        for action, kept in zip(*sides, strict=True):
            count = min(len(action), len(kept)) - abs(lag)
            if count > 0:
                first, then = max(-lag, 0), max(lag, 0)
                found.append((action[first : first + count], kept[then : then + count]))
        if not found:
            return np.zeros((0, len(self.pairs))), np.zeros((0, len(self.pairs)))
        left, right = (np.concatenate(part) for part in zip(*found, strict=True))
        whole = np.isfinite(left).all(1) & np.isfinite(right).all(1)
        return left[whole], right[whole]

    @cached_property
    def lag(self) -> Lag | None:
        """The lag that explains most, 0 unless another is clearly better; None with few steps."""
        steps_of = [np.diff(seconds) for seconds in self.seconds if len(seconds) > 1]
        if not steps_of:
            return None
        reach = max(2, round(LONGEST / max(float(np.median(np.concatenate(steps_of))), 0.01)))
        unexplained = {}
        for steps in range(-reach, reach + 1):
            left, right = self.at_lag(steps)
            if len(left) >= ROWS:
                unexplained[steps] = _unexplained(left, right)
        if 0 not in unexplained:
            return None
        best = min(unexplained, key=lambda steps: unexplained[steps])
        margin = _MARGIN if best > 0 else _BACKWARD
        clear = unexplained[best] < (1 - margin) * unexplained[0]
        return Lag(steps=best if clear else 0, unexplained=unexplained)

    @cached_property
    def steadied(self) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]]:
        """Actions and what is measured, the outermost hundredth of each number drawn in."""
        return _steady(self.actions), _steady(self.measured)

    def _moves(self, states: np.ndarray, seconds: np.ndarray) -> np.ndarray:
        found = np.diff(states, axis=0)
        for i, pair in enumerate(self.pairs):
            # Numbers far beyond a turn are no radians, and do not wrap.
            if pair.unit == "rad" and np.nanmax(np.abs(states[:, i]), initial=0) < 7:
                found[:, i] = wrap(found[:, i])
        if self.kind == "velocity":
            found = found / np.maximum(np.diff(seconds), 1e-9)[:, None]
        return found


def tied_groups(body: Embodiment, episodes: Sequence[Episode]) -> tuple[Tied, ...]:
    """The action groups of a body of which its state measures something."""
    found = []
    sizes = [len(episode) for episode in episodes]
    chosen = evenly(len(sizes), max(1, _STEPS * len(sizes) // max(sum(sizes), 1)))
    for group, spec in body.action.items():
        kind, pairs = KINDS.get(type(spec)), pairs_of(body, group)
        if kind is None or not pairs:
            continue
        actions, states, seconds = [], [], []
        for i in chosen:
            episode = episodes[i]
            done = series(episode, "action", group)
            seen = {pair.stream: series(episode, "observation", pair.stream) for pair in pairs}
            if done is None or any(values is None for values in seen.values()):
                continue
            actions.append(done[:, [pair.number for pair in pairs]])
            columns = [np.asarray(seen[pair.stream])[:, pair.place] for pair in pairs]
            states.append(np.stack(columns, axis=1))
            seconds.append((episode.times_ns - episode.times_ns[0]) / 1e9)
        if actions:
            parts = {"actions": actions, "states": states, "seconds": seconds}
            arrays = {name: tuple(part) for name, part in parts.items()}
            found.append(Tied(group=group, kind=kind, pairs=pairs, **arrays))
    return tuple(found)


def _steady(parts: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
    rows = np.concatenate(parts)
    rows = rows[np.isfinite(rows).all(axis=1)]
    if not len(rows):
        return parts
    low, high = np.quantile(rows, [0.01, 0.99], axis=0)
    return tuple(np.clip(part, low, high) for part in parts)


def _unexplained(actions: np.ndarray, states: np.ndarray) -> float:
    """1 - r squared over all numbers that move, each with the same weight; scale plays no part."""
    spread = actions.std(axis=0), states.std(axis=0)
    moving = np.minimum(*spread) > 1e-4 * max(spread[0].max(), spread[1].max(), 1e-9)
    if not moving.any():
        return 1.0
    centred = (actions - actions.mean(axis=0)) * (states - states.mean(axis=0))
    together = centred.mean(axis=0)[moving] / (spread[0] * spread[1])[moving]
    return float(1 - np.square(np.maximum(together, 0)).mean())
