"""Whether deltas of the tool are given in the robot's base frame."""

from collections.abc import Iterator

import numpy as np

from octoverse.data.doctor.finding import Finding
from octoverse.data.doctor.lag import ROWS, best_lag
from octoverse.data.doctor.looking import Recording
from octoverse.data.doctor.pairs import Tied, tied_groups

_APART = 0.05
"""By how much of the movement one frame must explain more than the other to be told from it."""
_CERTAIN = 4.0
"""And by how many standard errors, over single steps."""
_FOLLOWS = 0.4
"""Share of the movement that the better frame must explain."""
_NEEDED = ("dx", "dy", "dz", "droll", "dpitch", "dyaw")


def frame(recording: Recording) -> Iterator[Finding]:
    """Hold deltas against the tool's movement, once as they are, once turned with the tool."""
    for tied in tied_groups(recording):
        if tied.kind != "delta":
            continue
        evidence: dict[str, float | int | str] = {}
        lag = best_lag(tied)
        if not set(_NEEDED) <= set(tied.names):
            reason = "position and orientation of the tool are not all measured"
        elif lag is None:
            reason = "there are too few steps"
        else:
            base, tool, certain, rows = _explained(tied, lag.steps)
            evidence = {
                "explained in the base frame": round(base, 3),
                "explained in the tool's frame": round(tool, 3),
                "difference needed": _APART,
                "standard errors apart": round(float(certain), 1),
                "needed": _CERTAIN,
                "steps": rows,
            }
            if rows < ROWS or max(base, tool) < _FOLLOWS:
                reason = "there are too few steps, or the state does not follow the action"
            elif abs(base - tool) < _APART or certain < _CERTAIN:
                reason = "the tool is never turned far enough to tell the two apart"
            else:
                yield _told(tied, evidence, right=base > tool)
                continue
        yield Finding(
            check="frame",
            severity="cannot be told",
            where=tied.group,
            message="Whether its deltas are in the base frame or in the tool's cannot be told from "
            f"the data: {reason}.",
            evidence=evidence,
        )


def _told(tied: Tied, evidence: dict[str, float | int | str], *, right: bool) -> Finding:
    if right:
        return Finding(
            check="frame",
            severity="information",
            where=tied.group,
            message="Its deltas are in the robot's base frame, as they should be.",
            evidence=evidence,
        )
    return Finding(
        check="frame",
        severity="fault",
        where=tied.group,
        message="Its deltas are in the tool's frame, not in the robot's base frame.",
        evidence=evidence,
        cure="Turn them by the tool's orientation where they enter.",
    )


def _explained(tied: Tied, steps: int) -> tuple[float, float, float, int]:
    """Share of the tool's movement that deltas explain in the base and in the tool's frame.

    Also by how many standard errors the two differ, and over how many steps.
    """
    pick = [tied.names.index(name) for name in _NEEDED]
    given, moved, turned = [], [], []
    for action, state, seconds in zip(tied.actions, tied.states, tied.seconds, strict=True):
        moves = tied.moves(state, seconds)[:, pick]
        count = len(moves) - abs(steps)
        if count > 0:
            first, then = max(-steps, 0), max(steps, 0)
            given.append(action[first : first + count, pick][:, :3])
            moved.append(moves[then : then + count, :3])
            turned.append(state[first : first + count, pick][:, 3:])
    if not given:
        return 0.0, 0.0, 0.0, 0
    action, move, angles = (np.concatenate(part) for part in (given, moved, turned))
    whole = np.isfinite(np.concatenate([action, move, angles], axis=1)).all(1)
    action, move, angles = action[whole], move[whole], angles[whole]
    if len(action) < ROWS:
        return 0.0, 0.0, 0.0, len(action)
    left_base = _left(action, move)
    left_tool = _left(np.einsum("nij,nj->ni", _rotations(angles), action), move)
    total = max(float(np.square(move).sum()), 1e-12)
    gap = left_tool - left_base
    error = max(float(gap.std()) / np.sqrt(len(gap)), 1e-15)
    return (
        float(1 - left_base.sum() / total),
        float(1 - left_tool.sum() / total),
        float(abs(gap.mean()) / error),
        len(gap),
    )


def _left(given: np.ndarray, moved: np.ndarray) -> np.ndarray:
    """Squared movement that deltas with their best gain leave over, (n,)."""
    gain = (given * moved).sum() / max(float((given * given).sum()), 1e-12)
    return np.square(moved - gain * given).sum(axis=1)


def _rotations(angles: np.ndarray) -> np.ndarray:
    """From roll, pitch, yaw (n, 3) about fixed axes to rotations (n, 3, 3) out of the tool."""
    (cr, cp, cy), (sr, sp, sy) = np.cos(angles).T, np.sin(angles).T
    rows = [
        [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
        [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
        [-sp, cp * sr, cp * cr],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)
