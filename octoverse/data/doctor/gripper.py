"""Whether 1 is open and 0 is closed."""

from collections.abc import Iterator

import numpy as np

from octoverse.data.doctor.finding import Finding
from octoverse.data.doctor.looking import Recording
from octoverse.data.doctor.sampling import series
from octoverse.data.doctor.tied import Tied
from octoverse.data.standard import Standard
from octoverse.embodiment import Gripper, JointPosition

EVENTS = 5
"""Openings and closings needed: with five that agree, chance is 1 in 32."""
AGREE = 0.8
"""Share of events that decides; five hands that close on things of all sizes agree more."""
_STEP = 0.5
"""Change of the commanded opening that is an event."""
_MOVED = 0.02
"""Change of the measured opening that counts; less is noise, or a hand already shut."""


def gripper(recording: Recording) -> Iterator[Finding]:
    """Compare commanded openings with measured ones, and with how episodes begin."""
    tied = {one.group: one for one in recording.tied if one.kind == "gripper"}
    for group, spec in recording.body.action.items():
        if isinstance(spec, JointPosition) and set(spec.units) == {"1"}:
            yield Finding(
                check="gripper",
                severity="cannot be told",
                where=group,
                message="Its numbers are shares of travel: which end is open cannot be told from "
                "the data.",
                cure="Look at images where they change.",
            )
        if not isinstance(spec, Gripper):
            continue
        if group in tied:
            for i in range(len(tied[group].pairs)):
                yield _against_state(recording, tied[group], i)
        else:
            yield Finding(
                check="gripper",
                severity="cannot be told",
                where=group,
                message="Whether 1 is open cannot be told from the data: no state measures an "
                f"opening. {_beginnings(recording, group)}",
                cure="Look at images where the command changes.",
            )
        yield from _mirrored(recording, group)
        yield from _turned(recording, group)


def _against_state(recording: Recording, tied: Tied, i: int) -> Finding:
    pair = tied.pairs[i]
    where = f"{tied.group}.{pair.name}"
    agree = against = 0
    for action, state in zip(tied.actions, tied.states, strict=True):
        for change in _responses(action[:, i], state[:, i], recording.body.control_hz):
            agree += int(change > 0)
            against += int(change < 0)
    events = agree + against
    evidence: dict[str, float | int | str] = {
        "events": events,
        "agree": agree,
        "events needed": EVENTS,
        "share needed": AGREE,
    }
    if events >= EVENTS and against / events >= AGREE:
        return Finding(
            check="gripper",
            severity="fault",
            where=where,
            message=f"The commanded opening and the measured {pair.stream} go opposite ways: in "
            f"{against} of {events} events one opens while the other closes. One of the two has "
            "0 = open.",
            evidence=evidence,
            cure="Convert it where it enters (1 - value), so that 1 = open in both.",
        )
    if events >= EVENTS and agree / events >= AGREE:
        return Finding(
            check="gripper",
            severity="information",
            where=where,
            message=f"Command and measurement open and close together in {agree} of {events} "
            f"events. {_beginnings(recording, tied.group)}",
            evidence=evidence,
        )
    return Finding(
        check="gripper",
        severity="cannot be told",
        where=where,
        message="Whether 1 is open cannot be told from the data: the hand opened or closed "
        f"{events} times by command and measurement, {agree} of them the same way.",
        evidence=evidence,
        cure="Look at more episodes, or at images where the command changes.",
    )


def _responses(command: np.ndarray, measured: np.ndarray, hz: float) -> Iterator[float]:
    """For each event, what the measurement did by the next event, in the command's direction."""
    patience = max(2, round(1.5 * hz))
    kept = np.isfinite(command) & np.isfinite(measured)
    command, measured = command[kept], measured[kept]
    if not len(command):
        return
    held, start = command[0], 0
    for t in range(1, len(command)):
        if abs(command[t] - held) < _STEP:
            continue
        direction, held, start = np.sign(command[t] - held), command[t], t
        end = min(start + patience, len(command) - 1)
        later = np.flatnonzero(np.abs(command[start : end + 1] - held) >= _STEP)
        end = start + int(later[0]) if len(later) else end
        change = direction * (measured[end] - measured[max(start - 1, 0)])
        if abs(change) > _MOVED:
            yield change


def _beginnings(recording: Recording, group: str) -> str:
    opened = count = 0
    for episode in recording.episodes:
        values = series(episode, "action", group)
        if values is not None and np.isfinite(values[0]).all():
            count += 1
            opened += bool(values[0].mean() > 0.5)
    told = f"{opened} of {count} episodes begin open by command"
    return f"{told}, as hands do that have yet to grasp." if 2 * opened > count else f"{told}."


def _mirrored(recording: Recording, group: str) -> Iterator[Finding]:
    """Episodes that begin closed and open first: hands that put things down, or a mirrored sign."""
    first = []
    for episode in recording.episodes:
        values = series(episode, "action", group)
        if values is None or not np.isfinite(values).all():
            continue
        opening = values.mean(axis=1)
        turned = np.flatnonzero(np.abs(opening - opening[0]) >= _STEP)
        if len(turned):
            first.append(opening[turned[0]] - opening[0])
    opens = sum(change > 0 for change in first)
    if len(first) >= EVENTS and opens / len(first) >= 0.9:
        yield Finding(
            check="gripper",
            severity="suspicion",
            where=group,
            message=f"{opens} of {len(first)} episodes begin closed and open first. Either they "
            "begin with something in the hand, or 0 is open.",
            evidence={"begin by opening": opens, "episodes": len(first), "share needed": 0.9},
            cure="Look at the first images; if the hand is open in them, convert (1 - value).",
        )


def _turned(recording: Recording, group: str) -> Iterator[Finding]:
    """Say so where the declaration turns the data's own convention round."""
    standard = getattr(recording.source, "standard", None)
    taken = standard.action.get(group) if isinstance(standard, Standard) else None
    if taken is None or taken.convert is None or len(taken.names) > 1:
        return
    if taken.stop is None or taken.stop - taken.start != 1:
        return
    made = taken.convert(np.array([[0.0], [1.0]]))
    ends = made[0] if isinstance(made, tuple) else made
    if ends[0, 0] > ends[1, 0]:
        yield Finding(
            check="gripper",
            severity="information",
            where=group,
            message=f"In the data ({taken.names[0]}[{taken.start}]) 0 is open, by their "
            "declaration; it is turned round where it enters, so that here 1 is open.",
        )
