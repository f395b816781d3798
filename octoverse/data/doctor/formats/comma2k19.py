"""What comma2k19 segments lack, and the frame that their poses are in."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from octoverse.data.doctor.finding import Finding
from octoverse.data.doctor.looking import Recording
from octoverse.rotation import EQUATOR

_DEPTH = 30_000.0
"""Metres by which places on the ground differ from the equator's radius, flattening included."""


def examine(recording: Recording) -> Iterator[Finding]:
    """Look for videos, and at the length of the position vectors."""
    folder = getattr(getattr(recording.source, "reader", None), "folder", None)
    if folder is None:
        return
    poses = sorted(Path(str(folder)).glob("**/global_pose/frame_positions"))
    if not poses:
        return
    lacking = [p for p in poses if not (p.parents[1] / "video.hevc").exists()]
    if lacking:
        yield Finding(
            check="comma2k19",
            severity="fault",
            where=str(lacking[0].parents[1].relative_to(Path(str(folder)))),
            message=f"video.hevc is missing in {len(lacking)} of {len(poses)} segments.",
            evidence={"missing": len(lacking), "segments": len(poses)},
            cure="Fetch the videos, or train on ego motion alone.",
        )
    radius = float(np.median(np.linalg.norm(np.load(poses[0], allow_pickle=False), axis=1)))
    if abs(radius - EQUATOR) < _DEPTH:
        yield Finding(
            check="comma2k19",
            severity="information",
            where=str(poses[0].relative_to(Path(str(folder)))),
            message=f"Positions are {radius / 1e3:.0f} km from the origin: they are those of the "
            "camera in the earth's frame (ECEF). The reader brings them to the rear axle.",
            evidence={"distance [m]": round(radius)},
        )
