"""Measured numbers that jump: glitches of sensors, angles that wrap, spliced recordings.

A glitch of one step is looked for in the bend there (the number less the mean of those beside it),
which is far smaller than steps are where motion is smooth.
"""

from collections.abc import Iterator
from typing import Literal

import numpy as np

from octoverse.data.doctor.finding import Finding
from octoverse.data.doctor.looking import Recording
from octoverse.data.doctor.sampling import series
from octoverse.embodiment import JointPosition, State

_OUTLIER = 10.0
"""Times the 95 % quantile of the steps that move at all: about twenty standard deviations."""
_WIDE = 0.25
"""And at least this share of the number's own 1 to 99 % spread, so that rest does not count."""
_SEEN = 0.01
"""And of its declared width, so that the last digit of a joint that rests does not count."""
_ALONE = 3.0
"""And so many times the steps beside it, unless it comes back at once: fast motion is no jump."""
_WRAP = 0.5
"""A step within so many radians of a full turn is an angle that wraps."""
_BEYOND = 2.0
"""A glitch bends the curve by so many of its usual (95 %) steps."""
_STEPS = 50


def jumps(recording: Recording) -> Iterator[Finding]:
    """Look at single steps of every measured number, and of every commanded position."""
    for side, name, spec in _positions(recording):
        values = [(e.key, series(e, side, name)) for e in recording.episodes]
        present = [(key, v) for key, v in values if v is not None and len(v) > 1]
        if sum(len(v) - 1 for _, v in present) < _STEPS:
            continue
        for i, label in enumerate(spec.names):
            # A hand may open or close within one step.
            if "opening" not in label:
                numbers = [(key, v[:, i]) for key, v in present]
                width = spec.high[i] - spec.low[i]
                yield from _of_number(f"{name}.{label}", spec.units[i], _SEEN * width, numbers)


def _positions(
    recording: Recording,
) -> Iterator[tuple[Literal["observation", "action"], str, State | JointPosition]]:
    for name, stream in recording.body.observation.items():
        if isinstance(stream, State):
            yield "observation", name, stream
    for name, group in recording.body.action.items():
        if isinstance(group, JointPosition):
            yield "action", name, group


def _of_number(
    where: str, unit: str, least: float, numbers: list[tuple[str, np.ndarray]]
) -> Iterator[Finding]:
    steps = [(key, np.diff(v)) for key, v in numbers]
    every = np.concatenate([step for _, step in steps])
    every = every[np.isfinite(every)]
    if unit == "rad":
        wraps = np.abs(np.abs(every) - 2 * np.pi) < _WRAP
        if wraps.any():
            yield Finding(
                check="jumps",
                severity="information",
                where=where,
                message=f"The angle wraps round {int(wraps.sum())} times; that is no fault of the "
                "sensor, but a network sees a jump.",
                evidence={"wraps": int(wraps.sum()), "steps": len(every)},
                cure="Unwrap it, or declare its sine and cosine.",
            )
            every = every[~wraps]
            steps = [(k, np.where(np.abs(np.abs(s) - 2 * np.pi) < _WRAP, 0, s)) for k, s in steps]
    moving = np.abs(every[every != 0])
    if len(moving) < _STEPS:
        return
    level = np.concatenate([v for _, v in numbers])
    low, high = np.nanquantile(level, [0.01, 0.99])
    bound = max(_OUTLIER * float(np.quantile(moving, 0.95)), _WIDE * float(high - low), least)
    found = [
        (key, int(t))
        for key, step in steps
        for t in np.flatnonzero(np.abs(step) > bound)
        if _alone(step, int(t))
    ]
    if not found:
        yield from _spikes(where, unit, least, steps, float(np.quantile(moving, 0.95)))
        return
    by_key = dict(numbers)
    spikes = sum(_returns(by_key[key], t, bound) for key, t in found)
    key, at = found[0]
    yield Finding(
        check="jumps",
        severity="fault" if spikes else "suspicion",
        where=f"{where}, episode {key}, step {at + 1}",
        message=f"It jumps {len(found)} times by more than {bound:.3g} {unit} in one step"
        + (
            ", there and back: a sensor that glitches."
            if spikes
            else ": a reset, or two recordings in one."
        ),
        evidence={
            "jumps": len(found),
            "largest": round(float(np.abs(every).max()), 5),
            "usual step (95 %)": round(float(np.quantile(moving, 0.95)), 6),
            "bound": round(bound, 5),
        },
        cure="Mask those steps, or cut the episode there.",
    )


def _spikes(
    where: str, unit: str, least: float, steps: list[tuple[str, np.ndarray]], usual: float
) -> Iterator[Finding]:
    """Single numbers far from both beside them, which themselves agree."""
    bends = [(key, (step[:-1] - step[1:]) / 2) for key, step in steps if len(step) > 1]
    every = np.abs(np.concatenate([bend for _, bend in bends])) if bends else np.zeros(0)
    every = every[np.isfinite(every) & (every > 0)]
    if len(every) < _STEPS:
        return
    # One leap bends three steps, so the measure of what is usual leaves out a tenth.
    common = float(np.quantile(every, 0.9))
    bound = max(_OUTLIER * common, _BEYOND * usual, least)
    across = {key: step[:-1] + step[1:] for key, step in steps}
    found = [
        (key, int(t))
        for key, bend in bends
        for t in np.flatnonzero(np.abs(bend) > bound)
        if abs(across[key][t]) < abs(bend[t]) / 2
    ]
    if found:
        key, at = found[0]
        yield Finding(
            check="jumps",
            severity="fault",
            where=f"{where}, episode {key}, step {at + 1}",
            message=f"It leaps aside {len(found)} times for a single step, by more than "
            f"{bound:.3g} {unit}: a sensor that glitches.",
            evidence={
                "leaps": len(found),
                "largest": round(float(every.max()), 5),
                "usual bend (90 %)": round(common, 6),
                "bound": round(bound, 5),
            },
            cure="Mask those steps.",
        )


def _alone(steps: np.ndarray, t: int) -> bool:
    """Whether one step stands out from those beside it; a step back counts as none."""
    beside = np.concatenate([steps[max(t - 1, 0) : t], steps[t + 1 : t + 2]])
    same_way = np.abs(beside[np.sign(beside) == np.sign(steps[t])])
    return bool(_ALONE * same_way.max(initial=0) < abs(steps[t]))


def _returns(values: np.ndarray, t: int, bound: float) -> bool:
    """Whether the number comes back within five steps after the jump from t to t + 1."""
    after = values[t + 2 : t + 7]
    return bool(len(after)) and bool((np.abs(after - values[t]) < bound / 4).any())
