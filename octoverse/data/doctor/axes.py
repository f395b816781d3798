"""Whether each number of an action moves the number that it names, and the same way."""

from collections.abc import Iterator

import numpy as np

from octoverse.data.doctor.finding import Finding
from octoverse.data.doctor.looking import Recording
from octoverse.data.doctor.tied import ROWS, Tied

_OTHER, _OWN, _BETTER = 0.6, 0.3, 0.4
"""Crossed: another number is moved at least so much, its own at most so much, this far apart."""
_REVERSED = -0.5


def axes(recording: Recording) -> Iterator[Finding]:
    """Look for crossed numbers and reversed signs."""
    for tied in recording.tied:
        if tied.kind == "gripper":
            continue
        found = tied.lag
        if found is None:
            continue
        actions, states = tied.at_lag(found.steps)
        yield from _crossed(tied, actions, states)


def _crossed(tied: Tied, actions: np.ndarray, states: np.ndarray) -> Iterator[Finding]:
    if tied.kind == "position":
        # Levels of different joints often go together; their changes seldom do.
        actions, states = np.diff(actions, axis=0), np.diff(states, axis=0)
    moving = (actions.std(axis=0) > 1e-9) & (states.std(axis=0) > 1e-9)
    kept = np.flatnonzero(moving)
    if len(actions) < ROWS or not len(kept):
        return
    both = np.corrcoef(actions[:, kept].T, states[:, kept].T)[: len(kept), len(kept) :]
    for i, row in enumerate(both):
        pair, own = tied.pairs[kept[i]], row[i]
        others = np.abs(np.delete(row, i))
        evidence: dict[str, float | int | str] = {
            "correlation": round(float(own), 3),
            "steps": len(actions),
        }
        if own <= _REVERSED:
            yield Finding(
                check="axes",
                severity="fault",
                where=f"{tied.group}.{pair.name}",
                message=f"{pair.stream} moves against it: its sign is reversed.",
                evidence=evidence | {"bound": _REVERSED},
                cure="Turn its sign where it enters.",
            )
        elif (
            len(others)
            and others.max() >= _OTHER
            and abs(own) <= _OWN
            and others.max() - abs(own) >= _BETTER
        ):
            places = [k for k in range(len(row)) if k != i]
            j = places[int(np.argmax(others))]
            yield Finding(
                check="axes",
                severity="fault",
                where=f"{tied.group}.{pair.name}",
                message=f"It moves '{tied.pairs[kept[j]].name}' of {tied.pairs[kept[j]].stream}, "
                "not what it names: the numbers stand in another order.",
                evidence=evidence
                | {"correlation with the other": round(float(row[j]), 3), "bound": _OTHER},
                cure="Put the numbers into the body's order where they enter.",
            )
