"""Numbers that never or hardly change."""

from collections.abc import Iterator
from typing import Literal

import numpy as np

from octoverse.accumulate import Accumulator
from octoverse.data.doctor.finding import Finding
from octoverse.data.doctor.looking import Recording
from octoverse.data.doctor.pairs import pairs_of
from octoverse.data.doctor.sampling import series
from octoverse.embodiment import ActionGroup, PathGroup, State

_SIDES: tuple[Literal["observation", "action"], ...] = ("observation", "action")
_STILL = 1e-6
"""Of the declared width: less is a number that does not change."""
_MOVED = 0.05
"""Of the declared width: a command that went so far should have been seen in the state."""


def constant(recording: Recording) -> Iterator[Finding]:
    """Find numbers that do not change, and those that normalisation has to guard."""
    width: dict[tuple[str, int], float] = {}
    for side in _SIDES:
        for name, spec in getattr(recording.body, side).items():
            if not isinstance(spec, State | ActionGroup):
                continue
            accumulator = Accumulator.of(spec)
            for episode in recording.episodes:
                values = series(episode, side, name)
                if values is not None:
                    rows = values.reshape(-1, spec.size)
                    accumulator.add(rows, np.isfinite(rows).all(axis=1))
            if len(accumulator) < 2:
                continue
            found = accumulator.finish()
            spread = np.array(found.high) - np.array(found.low)
            declared = np.array(spec.high) - np.array(spec.low)
            width |= {(f"{side}/{name}", i): float(s) for i, s in enumerate(spread / declared)}
            still = spread <= _STILL * declared
            near = found.near_constant("quantile") & ~still
            yield from _named("never change", name, spec, still, len(accumulator))
            yield from _named("hardly change", name, spec, near, len(accumulator))
    yield from _dead(recording, width)


def _named(
    what: str, name: str, spec: State | ActionGroup, which: np.ndarray, rows: int
) -> Iterator[Finding]:
    if which.any():
        labels = [spec.names[i] for i in np.flatnonzero(which)]
        yield Finding(
            check="constant",
            severity="information",
            where=name,
            message=f"{len(labels)} of {spec.size} numbers {what}: {', '.join(labels)}.",
            evidence={"numbers": len(labels), "rows": rows},
        )


def _dead(recording: Recording, width: dict[tuple[str, int], float]) -> Iterator[Finding]:
    """Numbers that stand still while their partner moves."""
    for group, spec in recording.body.action.items():
        if isinstance(spec, PathGroup):
            continue
        for pair in pairs_of(recording.body, group):
            commanded = width.get((f"action/{group}", pair.number))
            measured = width.get((f"observation/{pair.stream}", pair.place))
            if commanded is None or measured is None:
                continue
            for still, moving, where, other in (
                (measured, commanded, f"{pair.stream}.{pair.name}", f"{group} commands it to move"),
                (commanded, measured, f"{group}.{pair.name}", f"{pair.stream} shows it moving"),
            ):
                if still <= _STILL and moving >= _MOVED:
                    yield Finding(
                        check="constant",
                        severity="fault",
                        where=where,
                        message=f"It never changes, though {other}.",
                        evidence={
                            "share of the declared width": round(still, 6),
                            "of its partner": round(moving, 4),
                            "bound": _MOVED,
                        },
                        cure="Take it from the right feature, or declare it absent.",
                    )
