"""Whether deltas of the tool are given in the robot's base frame."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations, product

import numpy as np

from octoverse.data.doctor.finding import Finding
from octoverse.data.doctor.looking import Recording
from octoverse.data.doctor.tied import ROWS, Tied

_APART = 0.05
"""By how much of the movement one frame must explain more than the other to be told from it."""
_CERTAIN = 4.0
"""And by how many standard errors, over single steps."""
_FOLLOWS = 0.4
"""Share of the movement that the better frame must explain."""
_TURNED, _DEGREES = 0.15, 15.0
"""By how much more one turn must explain, and how large it must be: arms bend paths a little."""
_AXES, _ANGLES = ("dx", "dy", "dz"), ("droll", "dpitch", "dyaw")


def frame(recording: Recording) -> Iterator[Finding]:
    """Hold deltas against the tool's movement: as they are, turned with the tool, turned once."""
    for tied in recording.tied:
        if tied.kind != "delta" or not set(_AXES) <= set(tied.names):
            continue
        lag = tied.lag
        rows = _rows(tied, lag.steps) if lag is not None else None
        if rows is None or len(rows.given) < ROWS:
            yield _untold(tied, "there are too few steps", {})
            continue
        yield from _compared(tied, rows)


@dataclass(frozen=True, kw_only=True)
class _Rows:
    """Deltas, the moves that followed and the tool's orientation before them, n steps."""

    given: np.ndarray
    """(n, 3)."""
    moved: np.ndarray
    """(n, 3)."""
    angles: np.ndarray | None
    """(n, 3) roll, pitch, yaw where they are measured."""


def _compared(tied: Tied, rows: _Rows) -> Iterator[Finding]:
    total = max(float(np.square(rows.moved).sum()), 1e-12)
    base = _left(rows.given, rows.moved)
    explained = float(1 - base.sum() / total)
    turn = _best_turn(rows.given, rows.moved)
    once = float(1 - _left(rows.given @ turn.T, rows.moved).sum() / total)
    degrees = float(np.degrees(np.arccos(np.clip((np.trace(turn) - 1) / 2, -1, 1))))
    evidence: dict[str, float | int | str] = {
        "explained in the base frame": round(explained, 3),
        "explained when turned once": round(once, 3),
        "turned by [degrees]": round(degrees, 1),
        "steps": len(rows.given),
    }
    tool = certain = None
    if rows.angles is not None:
        with_tool = _left(np.einsum("nij,nj->ni", _rotations(rows.angles), rows.given), rows.moved)
        tool, gap = float(1 - with_tool.sum() / total), with_tool - base
        certain = abs(float(gap.mean())) / max(float(gap.std()) / np.sqrt(len(gap)), 1e-15)
        evidence |= {
            "explained in the tool's frame": round(tool, 3),
            "difference needed": _APART,
            "standard errors apart": round(float(certain), 1),
            "needed": _CERTAIN,
        }
    ordered = 1 - _best_order(rows.given, rows.moved) / total
    best = max(explained, once, ordered, tool or 0.0)
    if best < _FOLLOWS:
        yield _untold(tied, "the state does not follow the action", evidence)
    elif ordered - explained > _TURNED and ordered > once - _APART:
        yield _untold(tied, "its numbers stand in another order or sense (see axes)", evidence)
    elif once - max(explained, tool or 0.0) > _TURNED and degrees > _DEGREES:
        yield Finding(
            check="frame",
            severity="fault",
            where=tied.group,
            message=f"Its axes are turned by {degrees:.0f} degrees against those that the state is "
            "measured in.",
            evidence=evidence | {"bound": _TURNED},
            cure="Turn deltas into the frame of the state, the robot's base, where they enter.",
        )
    elif tool is None:
        yield _untold(tied, "the tool's orientation is not all measured", evidence)
    elif abs(explained - tool) < _APART or (certain or 0) < _CERTAIN:
        yield _untold(tied, "the tool is never turned far enough to tell them apart", evidence)
    elif explained > tool:
        yield Finding(
            check="frame",
            severity="information",
            where=tied.group,
            message="Its deltas are in the robot's base frame, as they should be.",
            evidence=evidence,
        )
    else:
        yield Finding(
            check="frame",
            severity="fault",
            where=tied.group,
            message="Its deltas are in the tool's frame, not in the robot's base frame.",
            evidence=evidence,
            cure="Turn them by the tool's orientation where they enter.",
        )


def _untold(tied: Tied, reason: str, evidence: dict[str, float | int | str]) -> Finding:
    return Finding(
        check="frame",
        severity="cannot be told",
        where=tied.group,
        message="Whether its deltas are in the base frame or in the tool's cannot be told from the "
        f"data: {reason}.",
        evidence=evidence,
    )


def _rows(tied: Tied, steps: int) -> _Rows:
    turned = set(_ANGLES) <= set(tied.names)
    pick = [tied.names.index(name) for name in (*_AXES, *(_ANGLES if turned else ()))]
    first, then = max(-steps, 0), max(steps, 0)
    found = []
    for action, moves, state in zip(*tied.steadied, tied.states, strict=True):
        count = max(len(moves) - abs(steps), 0)
        parts = (
            action[first : first + count, pick][:, :3],
            moves[then : then + count, pick][:, :3],
            state[first : first + count, pick][:, 3:],
        )
        found.append(np.concatenate(parts, axis=1))
    rows = np.concatenate(found)
    rows = rows[np.isfinite(rows).all(axis=1)]
    angles = rows[:, 6:] if turned else None
    return _Rows(given=rows[:, :3], moved=rows[:, 3:6], angles=angles)


def _left(given: np.ndarray, moved: np.ndarray) -> np.ndarray:
    """Squared movement that deltas with their best gain leave over, (n,)."""
    gain = (given * moved).sum() / max(float((given * given).sum()), 1e-12)
    return np.square(moved - gain * given).sum(axis=1)


def _best_order(given: np.ndarray, moved: np.ndarray) -> float:
    """Squared movement left over with the numbers in their best order and senses."""
    return min(
        float(_left(given[:, order] * np.array(senses), moved).sum())
        for order in permutations(range(3))
        for senses in product((1, -1), repeat=3)
    )


def _best_turn(given: np.ndarray, moved: np.ndarray) -> np.ndarray:
    """The rotation (3, 3) that brings deltas closest to the moves (Kabsch, 1976)."""
    left, _, right = np.linalg.svd(moved.T @ given)
    handed = np.diag([1.0, 1.0, np.linalg.det(left @ right)])
    return np.asarray(left @ handed @ right)


def _rotations(angles: np.ndarray) -> np.ndarray:
    """From roll, pitch, yaw (n, 3) about fixed axes to rotations (n, 3, 3) out of the tool."""
    (cr, cp, cy), (sr, sp, sy) = np.cos(angles).T, np.sin(angles).T
    rows = [
        [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
        [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
        [-sp, cp * sr, cp * cr],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)
