"""The stamps of a donkeycar tub, held against the rate at which it drives."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np

from octoverse.data.doctor.finding import Finding
from octoverse.data.doctor.looking import Recording
from octoverse.data.logs.donkeycar import DonkeycarSource

_OFF = 2.0
"""A stamp's rate may be off by this factor before it is no rate of driving."""


class _Stamped(msgspec.Struct):
    index: int = msgspec.field(name="_index")
    time_ms: int | None = msgspec.field(name="_timestamp_ms", default=None)


def examine(recording: Recording) -> Iterator[Finding]:
    """Hold _timestamp_ms against the drive loop."""
    source = recording.source
    assert isinstance(source, DonkeycarSource)
    lines = [
        msgspec.json.decode(line, type=_Stamped)
        for path in sorted(Path(source.folder).glob("catalog_*.catalog"))
        for line in path.read_bytes().splitlines()
    ]
    stamps = np.array([one.time_ms for one in lines if one.time_ms is not None], np.int64)
    if len(stamps) < 2:
        return
    step = float(np.median(np.diff(stamps))) / 1e3
    usual = 1 / recording.body.control_hz
    evidence: dict[str, float | int | str] = {
        "median step [s]": step,
        "drive loop [s]": usual,
        "bound": _OFF,
        "records": len(stamps),
    }
    if not usual / _OFF < step < usual * _OFF:
        yield Finding(
            check="donkeycar",
            severity="fault",
            where="_timestamp_ms",
            message=f"Records are stamped {step:g} s apart, where a drive loop takes {usual:g} s: "
            "these are the times of a conversion, not of driving. Times here are nominal instead.",
            evidence=evidence,
            cure=f"Trust {recording.body.control_hz:g} Hz only as far as you know the drive loop; "
            "the original recording has the true times.",
        )
    else:
        yield Finding(
            check="donkeycar",
            severity="information",
            where="_timestamp_ms",
            message=f"Records are stamped {step:g} s apart; times here are nominal.",
            evidence=evidence,
        )
