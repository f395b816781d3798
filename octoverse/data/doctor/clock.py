"""Whether time runs evenly, at the body's rate, and without gaps."""

from collections.abc import Iterator

import numpy as np

from octoverse.data.doctor.finding import Finding
from octoverse.data.doctor.looking import Recording
from octoverse.data.logs.source import DriveSource

UNEVEN = 0.2
"""A step is uneven when it is longer or shorter than the median by more than this share."""
UNEVEN_SHARE = 0.01
"""So many uneven steps, gaps apart, make a clock irregular: one that a timer drives has fewer."""
GAP = 1.5
"""A step of so many medians has lost a frame."""
_OFTEN = 1e-3
"""Share of gaps from which on they are no single hiccup."""
RATE_SUSPICION, RATE_FAULT = 0.05, 0.2
"""How far the rate may be from the body's. A chunk of 2 s is then 0.1 or 0.4 s off at its end."""
_EXACT = 1e-4
"""Clocks that were measured are never as even as this share of a step."""
_FLOAT32 = 2.4e-7
"""Share of the time itself by which float32 stamps are off."""


def clock(recording: Recording) -> Iterator[Finding]:
    """Look at the steps of time in each episode."""
    hz = recording.body.control_hz
    steps = [np.diff(episode.times_ns) / 1e9 for episode in recording.episodes]
    backwards = [i for i, step in enumerate(steps) if (step <= 0).any()]
    if backwards:
        yield Finding(
            check="clock",
            severity="fault",
            where=f"episode {recording.episodes[backwards[0]].key}",
            message=f"Time stands still or runs backwards in {len(backwards)} of {len(steps)} "
            "episodes.",
            evidence={
                "episodes": len(backwards),
                "shortest step [s]": round(float(min(steps[i].min() for i in backwards)), 6),
            },
            cure="Sort the rows by time and drop doubles, or cut the episode where time jumps.",
        )
        return
    every = np.concatenate(steps)
    if not len(every):
        yield Finding(
            check="clock",
            severity="cannot be told",
            where="",
            message="Every episode has one step only, so nothing can be said about its clock.",
        )
        return
    longest = max(float(np.ptp(episode.times_ns)) / 1e9 for episode in recording.episodes)
    if np.abs(every - 1 / hz).max() < _EXACT / hz + _FLOAT32 * longest:
        if isinstance(recording.source, DriveSource):
            return  # Joined at the body's rate; the clocks of the log are looked at by themselves.
        yield Finding(
            check="clock",
            severity="cannot be told",
            where="",
            message=f"Every step is exactly 1/{hz:g} s: times are nominal, made from the rate or "
            "by a simulator. Whether frames were dropped, or the rate was another, cannot be told "
            "from them.",
            evidence={"steps": len(every)},
        )
        return
    yield from _rate(every, hz)
    yield from _evenness(recording, steps, every)


def _rate(every: np.ndarray, hz: float) -> Iterator[Finding]:
    found = 1 / float(np.median(every))
    off = abs(found / hz - 1)
    if off > RATE_SUSPICION:
        yield Finding(
            check="clock",
            severity="fault" if off > RATE_FAULT else "suspicion",
            where="",
            message=f"Steps come at {found:.3g} Hz by their times, the body acts at {hz:g} Hz.",
            evidence={
                "rate [Hz]": round(found, 3),
                "declared [Hz]": hz,
                "off by": round(off, 3),
                "bound": RATE_SUSPICION,
            },
            cure="Resample to the body's rate where the data enter, or declare the true rate.",
        )


def _evenness(
    recording: Recording, steps: list[np.ndarray], every: np.ndarray
) -> Iterator[Finding]:
    median = float(np.median(every))
    gaps = every > GAP * median
    uneven = float(((np.abs(every / median - 1) > UNEVEN) & ~gaps).mean())
    lost = int(np.round(every[gaps] / median - 1).sum())
    evidence: dict[str, float | int | str] = {
        "median step [s]": round(median, 4),
        "shortest [s]": round(float(every.min()), 4),
        "longest [s]": round(float(every.max()), 4),
        "uneven share": round(uneven, 4),
        "bound": UNEVEN_SHARE,
        "steps beyond 1.5 medians": int(gaps.sum()),
        "steps": len(every),
    }
    dropped = f"{int(gaps.sum())} of {len(every)} steps are longer than {GAP:g} medians" + (
        f", about {lost} frames are lacking" if lost else ""
    )
    if uneven > UNEVEN_SHARE:
        yield Finding(
            check="clock",
            severity="fault",
            where="",
            message=f"The clock is irregular: {uneven:.1%} of the steps differ by more than "
            f"{UNEVEN:.0%} from the median of {median:.3g} s ({every.min():.3g} to "
            f"{every.max():.3g} s), and {dropped}.",
            evidence=evidence,
            cure="Resample to an even rate, or expect velocities and chunks to be off by as much.",
        )
    elif gaps.any():
        where = next(i for i, step in enumerate(steps) if (step > GAP * median).any())
        at = int(np.argmax(steps[where] > GAP * median))
        yield Finding(
            check="clock",
            severity="fault" if gaps.mean() > _OFTEN else "suspicion",
            where=f"episode {recording.episodes[where].key}, step {at}",
            message=f"Frames were dropped: {dropped}.",
            evidence=evidence,
            cure="Cut the episodes at the gaps.",
        )
    else:
        yield Finding(
            check="clock",
            severity="information",
            where="",
            message=f"The clock is even: {1 - uneven:.1%} of the steps are within {UNEVEN:.0%} of "
            f"{median:.4g} s.",
            evidence=evidence,
        )
