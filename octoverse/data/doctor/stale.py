"""Measured numbers that are repeated, as by a sensor that is slower than the clock."""

from collections.abc import Iterator

import numpy as np

from octoverse.data.doctor.finding import Finding
from octoverse.data.doctor.looking import Recording
from octoverse.data.doctor.sampling import series
from octoverse.embodiment import State

_SHARE = 0.2
"""Share of the steps in motion that repeat the one before."""
_RUN = 5
"""Steps that stay equal for longer are rest."""
_STEPS = 50
_WIDTH = 3
"""Numbers that a stream must have: one or two may rest while the body moves."""


def stale(recording: Recording) -> Iterator[Finding]:
    """Look for rows that equal the one before while those about them move."""
    for name, spec in recording.body.observation.items():
        if not isinstance(spec, State) or spec.size < _WIDTH:
            continue
        moving = repeated = 0
        for episode in recording.episodes:
            values = series(episode, "observation", name)
            if values is None or len(values) < 5:
                continue
            changes = np.flatnonzero((np.diff(values, axis=0) != 0).any(axis=1))
            # From one change to the next: 1 where there is no repeat between them.
            spans = np.diff(changes)
            spans = spans[spans <= _RUN]
            moving, repeated = moving + int(spans.sum()), repeated + int((spans - 1).sum())
        if moving >= _STEPS and repeated / moving > _SHARE:
            yield Finding(
                check="stale",
                severity="suspicion",
                where=name,
                message=f"{repeated / moving:.0%} of its steps in motion repeat the numbers of the "
                "step before: it is measured less often, or more coarsely, than the clock says.",
                evidence={"repeated": repeated, "in motion": moving, "bound": _SHARE},
                cure="Record at the sensor's rate, or mask the repeated steps.",
            )
