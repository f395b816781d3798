from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from octoverse.data.doctor.finding import Finding
from octoverse.data.doctor.formats.comma2k19 import examine
from octoverse.data.doctor.looking import Recording


def told(folder: Path, distance: float, video: bool) -> list[Finding]:
    segment = folder / "route/3"
    (segment / "global_pose").mkdir(parents=True)
    with (segment / "global_pose/frame_positions").open("wb") as file:
        np.save(file, np.full((4, 3), distance / np.sqrt(3)))
    if video:
        (segment / "video.hevc").write_bytes(b"")
    source: Any = SimpleNamespace(reader=SimpleNamespace(folder=folder))
    return list(examine(cast(Recording, SimpleNamespace(source=source))))


def test_a_missing_video_is_a_fault(tmp_path: Path) -> None:
    fault, _ = told(tmp_path, 6.37e6, video=False)
    assert (fault.severity, fault.where) == ("fault", "route/3")
    assert "video.hevc is missing in 1 of 1 segments" in fault.message


def test_positions_in_the_earth_s_frame_are_told(tmp_path: Path) -> None:
    (found,) = told(tmp_path, 6.37e6, video=True)
    assert found.severity == "information" and "6370 km from the origin" in found.message


def test_positions_in_a_local_frame_are_not(tmp_path: Path) -> None:
    assert told(tmp_path, 40.0, video=True) == []
