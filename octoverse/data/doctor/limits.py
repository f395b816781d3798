"""Numbers that are not finite, or beyond what the body declares."""

from collections.abc import Iterator
from typing import Literal

import numpy as np

from octoverse.data.doctor.finding import Finding
from octoverse.data.doctor.looking import Recording
from octoverse.data.doctor.sampling import series
from octoverse.embodiment import ActionGroup, Command, State

_MARGIN = 0.02
"""Beyond the limits by less than this share of their width: noise about a joint's stop."""
_MANY = 1e-3
"""Share of rows from which on it is no single glitch."""
_SIDES: tuple[Literal["observation", "action"], ...] = ("observation", "action")


def limits(recording: Recording) -> Iterator[Finding]:
    """Hold every number against the body's declaration."""
    for side in _SIDES:
        for name, spec in getattr(recording.body, side).items():
            yield from _not_finite(recording, side, name)
            if isinstance(spec, Command):
                yield from _no_command(recording, name, spec)
            if isinstance(spec, State | ActionGroup):
                values = (series(episode, side, name) for episode in recording.episodes)
                rows = [v.reshape(-1, spec.size) for v in values if v is not None]
                if rows:
                    yield from _beyond(name, spec, np.concatenate(rows))


def _not_finite(
    recording: Recording, side: Literal["observation", "action"], name: str
) -> Iterator[Finding]:
    for episode in recording.episodes:
        given = getattr(episode, side).get(name)
        if given is None or np.asarray(given).dtype.kind != "f":
            continue
        values = np.asarray(given)
        valid = getattr(episode, f"{side}_valid").get(name, np.ones(len(values), bool))
        bad = ~np.isfinite(values[np.asarray(valid)])
        if bad.any():
            yield Finding(
                check="limits",
                severity="fault",
                where=f"{name}, episode {episode.key}",
                message=f"{int(bad.sum())} of its {bad.size} valid numbers are not finite.",
                evidence={"not finite": int(bad.sum()), "of": int(bad.size)},
                cure="Mask those steps, or leave the episode out.",
            )
            return


def _no_command(recording: Recording, name: str, spec: Command) -> Iterator[Finding]:
    found = [
        np.asarray(episode.observation[name])[
            np.asarray(episode.observation_valid.get(name, np.ones(len(episode), bool)))
        ]
        for episode in recording.episodes
        if name in episode.observation
    ]
    given = np.concatenate(found) if found else np.zeros(0)
    wrong = (given < 0) | (given >= len(spec.names))
    if wrong.any():
        yield Finding(
            check="limits",
            severity="fault",
            where=name,
            message=f"{wrong.mean():.2%} of its commands are none of 0 to {len(spec.names) - 1} "
            f"({', '.join(spec.names)}), such as {given[wrong][0]:g}.",
            evidence={"share": round(float(wrong.mean()), 5), "commands": len(spec.names)},
            cure="Convert them to the body's commands where they enter, or mask them.",
        )


def _beyond(name: str, spec: State | ActionGroup, rows: np.ndarray) -> Iterator[Finding]:
    low, high = np.array(spec.low), np.array(spec.high)
    margin = _MARGIN * (high - low)
    with np.errstate(invalid="ignore"):
        outside = (rows < low - margin) | (rows > high + margin)
    for i in np.flatnonzero(outside.any(axis=0)).tolist():
        known = np.isfinite(rows[:, i])
        share = float(outside[known, i].mean())
        found = rows[known, i]
        unit = "" if spec.units[i] == "1" else f" {spec.units[i]}"
        looks = _looks_like(spec, i, found)
        yield Finding(
            check="limits",
            severity="fault" if share > _MANY else "suspicion",
            where=f"{name}.{spec.names[i]}",
            message=f"{share:.2%} of its numbers lie beyond {spec.low[i]:g} to {spec.high[i]:g}"
            f"{unit}; they go from {found.min():.4g} to {found.max():.4g}.{looks}",
            evidence={
                "share": round(share, 5),
                "least": round(float(found.min()), 5),
                "largest": round(float(found.max()), 5),
                "lower limit": spec.low[i],
                "upper limit": spec.high[i],
                "fault from share": _MANY,
            },
            cure="Convert the unit where it enters, or widen the body's limits if they are true.",
        )


def _looks_like(spec: State | ActionGroup, i: int, found: np.ndarray) -> str:
    """A unit that would bring the numbers within the limits and fill them well."""
    reach, spread = max(abs(spec.low[i]), abs(spec.high[i])), float(np.abs(found).max())
    unit = spec.units[i]
    if unit.startswith("rad") and 3 < spread / reach and spread * np.pi / 180 <= 1.02 * reach:
        return " They look like degrees."
    if unit.startswith("m") and 20 < spread / reach and spread / 1000 <= 1.02 * reach:
        return " They look like millimetres."
    return ""
