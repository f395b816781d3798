"""Units, told from how far the state moves for what the action says."""

from collections.abc import Iterator

import numpy as np

from octoverse.data.doctor.finding import Finding
from octoverse.data.doctor.looking import Recording
from octoverse.data.doctor.tied import Tied
from octoverse.embodiment import Pedals

ROWS = 40
"""Steps needed: a correlation of 0.5 is then more than three standard errors from none."""
TOGETHER = 0.5
"""Correlation needed between what the action says and what the state does."""
_FACTORS = {
    180 / np.pi: "the state is in degrees and the action in radians",
    np.pi / 180: "the action is in degrees and the state in radians",
    1000.0: "the state is in millimetres and the action in metres",
    1 / 1000.0: "the action is in millimetres and the state in metres",
    100.0: "the state is in centimetres and the action in metres",
    1 / 100.0: "the action is in centimetres and the state in metres",
}
_NEAR = 1.35
"""A gain is like a known factor when they differ by less than this factor."""
_FAULT, _SUSPICION = 8.0, 3.0
"""Gains off by more are wrong units, or odd ones: arms lag and slip, but seldom by three."""

_AWAY = 2.0
"""Standard deviations of the state by which it may be away from its command all the time."""
_SAG = {"rad": 0.15, "m": 0.03, "1": 0.3}
"""And so much at least: arms sag under their load, and fingers stop at what they hold."""


def scale(recording: Recording) -> Iterator[Finding]:
    """Compare each number of an action with the move or the value that it asks for."""
    tied = [one for one in recording.tied if one.kind != "gripper"]
    for one in tied:
        yield from _of_group(one)
    known = {one.group for one in tied}
    for group, spec in recording.body.action.items():
        if group not in known and hasattr(spec, "units") and not hasattr(spec, "hz"):
            if isinstance(spec, Pedals):
                yield Finding(
                    check="units",
                    severity="cannot be told",
                    where=group,
                    message="Whether positive steering is left, and what full throttle comes to, "
                    "cannot be told from the data: no state measures what they do.",
                    cure="Look at images where the steering is large.",
                )
            elif set(spec.units) != {"1"}:
                yield Finding(
                    check="units",
                    severity="cannot be told",
                    where=group,
                    message=f"Its units ({', '.join(sorted(set(spec.units)))}) cannot be told from "
                    "the data: no state measures what it commands.",
                )


def _of_group(tied: Tied) -> Iterator[Finding]:
    lag = tied.lag
    actions, states = tied.at_lag(lag.steps if lag is not None else 0)
    told, untold = [], []
    for i, pair in enumerate(tied.pairs):
        gain = gain_of(actions[:, i], states[:, i])
        if gain is None:
            untold.append(pair.name)
            continue
        low, middle, high, together = gain
        told.append(middle)
        # Off by what is left after the doubt that noise leaves about the gain.
        off = low if low > 1 else 1 / high if high < 1 else 1.0
        if off < _SUSPICION:
            continue
        near = [why for factor, why in _FACTORS.items() if _is_near(middle, factor, pair.unit)]
        yield Finding(
            check="units",
            severity="fault" if off >= _FAULT else "suspicion",
            where=f"{tied.group}.{pair.name}",
            message=f"For 1 {pair.unit} of {tied.kind} commanded, {pair.stream} moves "
            f"{middle:.3g} {pair.unit}: "
            + (near[0] if near else "the action is not in the state's unit, or is normalised")
            + ".",
            evidence={
                "gain": round(middle, 5),
                "gain at least": round(low, 5),
                "gain at most": round(high, 5),
                "correlation": round(together, 3),
                "steps": len(actions),
                "suspected beyond a factor of": _SUSPICION,
            },
            cure="Convert it where it enters, to the unit that the body declares.",
        )
    if tied.kind == "position":
        yield from _offsets(tied, actions, states)
    if told:
        yield Finding(
            check="units",
            severity="information",
            where=tied.group,
            message=f"{len(told)} of {len(tied.pairs)} numbers can be held against the state: it "
            f"moves {min(told):.2f} to {max(told):.2f} for 1 commanded.",
            evidence={"least gain": round(min(told), 4), "largest gain": round(max(told), 4)},
        )
    if untold:
        yield Finding(
            check="units",
            severity="cannot be told",
            where=tied.group,
            message=f"The units of {', '.join(untold)} cannot be told from the data: they hardly "
            "move, or the state does not follow them.",
            evidence={"steps": len(actions), "correlation needed": TOGETHER},
        )


def _offsets(tied: Tied, actions: np.ndarray, states: np.ndarray) -> Iterator[Finding]:
    """Positions that follow their command at a distance: zeros that differ."""
    for i, pair in enumerate(tied.pairs):
        if gain_of(actions[:, i], states[:, i]) is None:
            continue
        away = float(np.median(states[:, i] - actions[:, i]))
        bound = max(_AWAY * float(states[:, i].std()), _SAG.get(pair.unit, np.inf))
        if abs(away) > bound:
            yield Finding(
                check="units",
                severity="suspicion",
                where=f"{tied.group}.{pair.name}",
                message=f"{pair.stream} follows it at a distance of {away:.3g} {pair.unit}: the "
                "two count from different zeros.",
                evidence={"distance": round(away, 5), "bound": round(bound, 5)},
                cure="Take the offset away where one of them enters.",
            )


def gain_of(action: np.ndarray, state: np.ndarray) -> tuple[float, float, float, float] | None:
    """How far the state moves for 1 commanded: at least, about, at most; and the correlation.

    Noise in the action makes the plain slope too small, noise in the state makes the inverse one
    too large; the truth lies between.
    """
    if len(action) < ROWS or min(action.std(), state.std()) < 1e-9:
        return None
    together = float(np.corrcoef(action, state)[0, 1])
    if abs(together) < TOGETHER:
        return None
    middle = float(state.std() / action.std())
    return middle * abs(together), middle, middle / abs(together), together


def _is_near(gain: float, factor: float, unit: str) -> bool:
    angle = abs(np.log10(factor)) not in (2.0, 3.0)
    ratio = gain / factor
    return 1 / _NEAR < ratio < _NEAR and angle == unit.startswith("rad")
