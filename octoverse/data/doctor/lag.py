"""Where in time an action stands against what the state does."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from octoverse.data.doctor.finding import Finding, Severity
from octoverse.data.doctor.looking import Recording
from octoverse.data.doctor.pairs import Kind
from octoverse.data.doctor.tied import ROWS, Tied

_FOLLOWS = 0.25
"""Share of the state's movement that must be explained for the fit to mean anything."""

_SAME, _NEXT = "the measured state of the same step", "the measured state of the next step"
_MOVED = "the measured state's own moves"
_GRAVE: Mapping[str, Severity] = {_SAME: "fault", _NEXT: "suspicion", _MOVED: "information"}
_COPIED: Mapping[Kind, Sequence[tuple[int, str]]] = {
    "position": ((0, _SAME), (1, _NEXT)),
    "delta": ((0, _MOVED),),
    "velocity": ((0, _MOVED),),
    "gripper": (),
}
"""What an action may be a copy of, and at which lag."""


def lag(recording: Recording) -> Iterator[Finding]:
    """Find the lag at which what is measured fits what is commanded best."""
    for tied in recording.tied:
        if tied.kind == "gripper":
            continue
        yield from _copies(tied)
        found = tied.lag
        if found is None or 1 - found.unexplained[found.steps] < _FOLLOWS:
            yield Finding(
                check="lag",
                severity="cannot be told",
                where=tied.group,
                message="The lag from action to state cannot be told from the data: there are too "
                "few steps, or the state does not follow the action.",
                evidence={"steps needed": ROWS, "share to explain": _FOLLOWS},
            )
            continue
        hz = recording.body.control_hz
        evidence: dict[str, float | int | str] = {
            "lag in steps": found.steps,
            "lag in seconds": round(found.steps / hz, 3),
            "unexplained there": round(found.unexplained[found.steps], 4),
            "unexplained at 0": round(found.unexplained[0], 4),
        }
        if tied.kind == "position":
            for name, steps in (("at 0", 0), ("there", found.steps)):
                left, right = tied.at_lag(steps, steadied=False)
                evidence[f"mean error {name}"] = round(float(np.abs(left - right).mean()), 5)
        if found.steps < 0:
            late = "1 step" if found.steps == -1 else f"{-found.steps} steps"
            yield Finding(
                check="lag",
                # One step is also what a velocity shows that was measured looking back.
                severity="suspicion" if found.steps == -1 else "fault",
                where=tied.group,
                message=f"Actions come {late} after the states that they lead to: they are "
                "recorded late, or shifted against the states.",
                evidence=evidence,
                cure=f"Shift them {late} earlier where they enter.",
            )
        else:
            when = (
                f"{found.steps} steps ({found.steps / hz:.2f} s) later"
                if found.steps
                else "at once"
            )
            yield Finding(
                check="lag",
                severity="information",
                where=tied.group,
                message=f"The state fits the action best {when}.",
                evidence=evidence,
            )


def _copies(tied: Tied) -> Iterator[Finding]:
    """Actions that are the state's own numbers."""
    for steps, what in _COPIED[tied.kind]:
        left, right = tied.at_lag(steps, steadied=False)
        moved = np.abs(np.diff(left, axis=0)).max(axis=1, initial=0) > 1e-6
        same = np.abs(left - right).max(axis=1, initial=0) <= 1e-6 * (
            1 + np.abs(left).max(initial=0)
        )
        if len(left) >= ROWS and moved.sum() >= ROWS // 2 and same[1:][moved].mean() > 0.99:
            yield Finding(
                check="lag",
                severity=_GRAVE[what],
                where=tied.group,
                message=f"Its numbers are {what}: made of the measurement, not commanded.",
                evidence={"steps": len(left), "equal": round(float(same.mean()), 4)},
                cure="Take the commanded values where there are some.",
            )
            return
