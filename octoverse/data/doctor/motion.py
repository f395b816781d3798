"""Whether speed, past and future path of a vehicle tell of one motion, in one unit."""

from collections.abc import Iterator

import numpy as np

from octoverse.data.doctor.finding import Finding
from octoverse.data.doctor.looking import Recording
from octoverse.data.doctor.sampling import series
from octoverse.embodiment import EgoHistory, State, Waypoints

_ROWS = 20
_DRIVING = 1.0
"""Metres a second from which on ratios mean something."""
_TURNING = 0.02
"""Radians a second of turning needed in the middle of what is compared."""
_NOW = 1e-3
"""Metres or radians that the last pose of a history may be off."""
_ASIDE = 0.1
"""Radians; cars slip by a few hundredths, and cameras are mounted to a few more."""
_SUSPICION, _FAULT = 1.15, 1.5
"""Speeds that differ by more than this factor; odometers are off by a few per cent."""
_UNITS = {
    3.6: "km/h where m/s is declared",
    2.237: "miles per hour where m/s is declared",
    1 / 3.6: "m/s divided by 3.6 twice",
    3.281: "feet where metres are declared",
    1000.0: "millimetres where metres are declared",
    0.001: "kilometres where metres are declared",
}


def motion(recording: Recording) -> Iterator[Finding]:
    """Hold the speed against past and future poses, and these against each other."""
    body = recording.body
    history = next((k for k, v in body.observation.items() if isinstance(v, EgoHistory)), None)
    path = next((k for k, v in body.action.items() if isinstance(v, Waypoints)), None)
    speed = next(
        (k for k, v in body.observation.items() if isinstance(v, State) and v.names[0] == "speed"),
        None,
    )
    if history is None or path is None:
        return
    yield from _ends_now(history, recording)
    past, future, told = _gathered(recording, history, path, speed)
    if speed is not None:
        known = np.isfinite(told)
        for name, found in ((history, past[:, 0]), (path, future[:, 0])):
            yield from _same_speed(speed, told, name, found, known)
    yield from _same_speed(path, future[:, 0], history, past[:, 0], np.isfinite(past[:, 0]))
    yield from _same_turn(history, past[:, 1], path, future[:, 1])
    yield from _along(path, recording)
    yield from _own_turn(path, future[:, 2], future[:, 1])
    yield from _own_turn(history, past[:, 2], past[:, 1])


def _gathered(
    recording: Recording, history: str, path: str, speed: str | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of every step: (speed, turn rate, sideways bend) before and after it, and the speed told.

    The bend is how far the path leads to the left for each metre ahead. A path that came round a
    left turn lies to the left behind, one that goes round it lies to the left ahead.
    """
    past_spec, future_spec = recording.body.observation[history], recording.body.action[path]
    assert isinstance(past_spec, EgoHistory) and isinstance(future_spec, Waypoints)
    rows: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for episode in recording.episodes:
        before = series(episode, "observation", history)
        after = series(episode, "action", path)
        if before is None or after is None:
            continue
        said = series(episode, "observation", speed) if speed is not None else None
        ahead = max(1, min(future_spec.steps, round(future_spec.hz)))
        back = max(1, min(past_spec.steps - 1, round(past_spec.hz)))
        was = before[:, -1 - back]
        near = before[:, -2]
        dt = 1 / past_spec.hz
        rows.append(
            (
                np.stack(
                    [-near[:, 0] / dt, -was[:, 2] / (back * dt), _bend(-was[:, 0], was[:, 1])], 1
                ),
                np.stack(
                    [
                        after[:, 0, 0] * future_spec.hz,
                        after[:, ahead - 1, 2] * future_spec.hz / ahead,
                        _bend(after[:, ahead - 1, 0], after[:, ahead - 1, 1]),
                    ],
                    1,
                ),
                said[:, 0] if said is not None else np.full(len(episode), np.nan),
            )
        )
    if not rows:
        return np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(0)
    past, future, told = (np.concatenate(part) for part in zip(*rows, strict=True))
    return past, future, told


def _bend(forward: np.ndarray, left: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(np.abs(forward) > _DRIVING, left / forward, np.nan)


def _same_speed(
    first: str, told: np.ndarray, second: str, found: np.ndarray, known: np.ndarray
) -> Iterator[Finding]:
    both = known & np.isfinite(told) & np.isfinite(found) & (np.abs(found) > _DRIVING)
    if both.sum() < _ROWS:
        yield Finding(
            check="motion",
            severity="cannot be told",
            where=first,
            message=f"Its unit cannot be held against '{second}': fewer than {_ROWS} steps have "
            "both and drive.",
            evidence={"steps": int(both.sum()), "steps needed": _ROWS},
        )
        return
    ratio = float(np.median(told[both] / found[both]))
    evidence: dict[str, float | int | str] = {
        "ratio": round(ratio, 4),
        "steps": int(both.sum()),
        "suspected beyond": _SUSPICION,
    }
    if ratio <= 0:
        yield Finding(
            check="motion",
            severity="fault",
            where=first,
            message=f"It says forward where '{second}' goes backward.",
            evidence=evidence,
            cure="Turn its sign where it enters: x is forward.",
        )
        return
    off = max(ratio, 1 / ratio)
    if off < _SUSPICION:
        yield Finding(
            check="motion",
            severity="information",
            where=first,
            message=f"Its speed is {ratio:.3f} times that of '{second}': one unit.",
            evidence=evidence,
        )
        return
    known_as = next((why for k, why in _UNITS.items() if 1 / 1.06 < ratio / k < 1.06), None)
    yield Finding(
        check="motion",
        severity="fault" if off > _FAULT else "suspicion",
        where=first,
        message=f"Its speed is {ratio:.3g} times that of '{second}'"
        + (f": {known_as}." if known_as else ": units or times do not fit."),
        evidence=evidence,
        cure="Convert it to metres and seconds where it enters.",
    )


def _same_turn(first: str, before: np.ndarray, second: str, after: np.ndarray) -> Iterator[Finding]:
    both = np.isfinite(before) & np.isfinite(after)
    both &= (np.abs(before) > _TURNING) & (np.abs(after) > _TURNING)
    if both.sum() < _ROWS:
        return
    same = float((np.sign(before[both]) == np.sign(after[both])).mean())
    if same < 0.2:
        yield Finding(
            check="motion",
            severity="fault",
            where=second,
            message=f"It turns left where '{first}' turns right, in {1 - same:.0%} of the turns.",
            evidence={"same way": round(same, 3), "steps": int(both.sum()), "bound": 0.2},
            cure="Left is positive, y and heading alike.",
        )


def _ends_now(history: str, recording: Recording) -> Iterator[Finding]:
    """A history is seen from where the vehicle is now: its last pose is zero."""
    ends = [
        values[:, -1]
        for episode in recording.episodes
        if (values := series(episode, "observation", history)) is not None
    ]
    off = np.abs(np.concatenate(ends)) if ends else np.zeros((0, 3))
    off = off[np.isfinite(off).all(axis=1)]
    if len(off) and off.max() > _NOW:
        yield Finding(
            check="motion",
            severity="fault",
            where=history,
            message=f"Its last pose is up to {off.max():.3g} m or rad from zero: it is not seen "
            "from where the vehicle is now.",
            evidence={"largest": round(float(off.max()), 5), "bound": _NOW, "steps": len(off)},
            cure="Bring past poses into the frame of each moment where they enter.",
        )


def _along(path: str, recording: Recording) -> Iterator[Finding]:
    """A vehicle goes where its x points; a frame that is turned shows as going sideways."""
    found = []
    for episode in recording.episodes:
        rows = series(episode, "action", path)
        if rows is not None:
            found.append(rows[:, 0, :2])
    first = np.concatenate(found) if found else np.zeros((0, 2))
    spec = recording.body.action[path]
    assert isinstance(spec, Waypoints)
    driving = np.hypot(first[:, 0], first[:, 1]) * spec.hz > 2 * _DRIVING
    if driving.sum() < _ROWS:
        return
    aside = float(np.median(np.arctan2(first[driving, 1], np.abs(first[driving, 0]))))
    evidence: dict[str, float | int | str] = {
        "aside [rad]": round(aside, 4),
        "bound [rad]": _ASIDE,
        "steps": int(driving.sum()),
    }
    right = abs(aside) < _ASIDE
    yield Finding(
        check="motion",
        severity="information" if right else "fault",
        where=path,
        message=f"It drives along its x, within {abs(np.degrees(aside)):.1f} degrees."
        if right
        else f"It drives {abs(np.degrees(aside)):.0f} degrees aside of its x: the frame is turned, "
        "such as that of a camera or of the earth.",
        evidence=evidence,
        cure="" if right else "Bring poses into the rear-axle frame where they enter.",
    )


def _own_turn(name: str, bend: np.ndarray, turn: np.ndarray) -> Iterator[Finding]:
    both = np.isfinite(bend) & np.isfinite(turn)
    both &= (np.abs(turn) > _TURNING) & (np.abs(bend) > _TURNING / 4)
    if both.sum() < _ROWS:
        return
    same = float((np.sign(bend[both]) == np.sign(turn[both])).mean())
    if same < 0.2:
        yield Finding(
            check="motion",
            severity="fault",
            where=name,
            message=f"Its y and its heading turn opposite ways in {1 - same:.0%} of the turns.",
            evidence={"same way": round(same, 3), "steps": int(both.sum()), "bound": 0.2},
            cure="Left is positive, y and heading alike.",
        )
