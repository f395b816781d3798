"""The clocks of a driving log's own signals, before they are joined."""

from collections.abc import Iterator

import numpy as np

from octoverse.data.doctor.clock import GAP, UNEVEN
from octoverse.data.doctor.finding import Finding
from octoverse.data.doctor.looking import Recording
from octoverse.data.doctor.sampling import evenly
from octoverse.data.logs.drive import Drive
from octoverse.data.logs.source import DriveSource

_DRIVES = 20
"""Drives looked at."""
_COINCIDE = 1e-3
"""A bus may be late by much of a step; that two messages come so close together, it does not do."""
_NOMINAL = 1e-6
"""A clock as even as this share of a step was made, not measured."""


def examine(recording: Recording) -> Iterator[Finding]:
    """Say at which rate each signal comes, how evenly, and with which gaps."""
    source = recording.source
    assert isinstance(source, DriveSource)
    keys = list(source.reader.keys())
    found: dict[str, list[np.ndarray]] = {}
    for i in evenly(len(keys), _DRIVES):
        for name, times in _clocks(source.reader.drive(keys[i])).items():
            found.setdefault(name, []).append(np.diff(times) / 1e9)
    for name, parts in found.items():
        steps = np.concatenate(parts)
        if len(steps):
            yield _told(name, steps, source.longest_gap)


def _clocks(drive: Drive) -> dict[str, np.ndarray]:
    found = {f"camera {role}": camera.times_ns for role, camera in drive.cameras.items()}
    for name, signal in (
        ("ego motion", drive.ego),
        ("speed", drive.speed),
        ("steering", drive.steering),
        ("pedals", drive.pedals),
    ):
        if signal is not None:
            found[name] = signal.times_ns
    return found


def _told(name: str, steps: np.ndarray, longest_gap: float) -> Finding:
    median = float(np.median(steps))
    uneven = float((np.abs(steps / median - 1) > UNEVEN).mean())
    gaps = int((steps > GAP * median).sum())
    cuts = int((steps > longest_gap).sum())
    evidence: dict[str, float | int | str] = {
        "median step [s]": round(median, 5),
        "shortest [s]": float(steps.min()),
        "longest [s]": round(float(steps.max()), 5),
        "uneven share": round(uneven, 4),
        "steps beyond 1.5 medians": gaps,
        "samples": len(steps) + 1,
    }
    rate = f"{1 / median:.3g} Hz" if median < 1 else f"one in {median:.2g} s"
    if float(np.ptp(steps)) < _NOMINAL * median:
        return Finding(
            check="drives",
            severity="cannot be told",
            where=name,
            message=f"Its clock is exactly even ({rate}): times are nominal, so that dropped "
            "frames and the true rate cannot be told from them.",
            evidence=evidence,
        )
    if median > longest_gap:
        return Finding(
            check="drives",
            severity="suspicion",
            where=name,
            message=f"It comes at {rate} only: every sample stands alone, nothing is known in "
            "between.",
            evidence=evidence | {"bound [s]": longest_gap},
            cure="Take the log's sweeps too, or judge single moments only.",
        )
    if cuts:
        return Finding(
            check="drives",
            severity="suspicion",
            where=name,
            message=f"It has {cuts} gaps of more than {longest_gap:g} s (up to {steps.max():.3g} "
            f"s) at {rate}: nothing is known in between.",
            evidence=evidence | {"bound [s]": longest_gap},
            cure="Nothing is interpolated across them: episodes are cut there, or steps masked.",
        )
    if float(steps.min()) < _COINCIDE * median:
        return Finding(
            check="drives",
            severity="suspicion",
            where=name,
            message=f"Its clock is irregular: it comes at {rate}, with steps from "
            f"{steps.min():.2g} to {steps.max():.2g} s. Stamps that all but coincide are those of "
            "several clocks in one.",
            evidence=evidence | {"bound, in medians": _COINCIDE},
            cure="Resample before taking differences of neighbours, as is done here.",
        )
    even = "evenly" if uneven < 0.01 else f"irregularly ({steps.min():.2g} to {steps.max():.2g} s)"
    return Finding(
        check="drives",
        severity="information",
        where=name,
        message=f"It comes at {rate}, {even}"
        + (f", with {gaps} steps beyond {GAP:g} medians" if gaps and uneven < 0.01 else "")
        + ". It is joined by its time stamps.",
        evidence=evidence,
    )
