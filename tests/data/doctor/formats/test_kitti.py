from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from octoverse.data.doctor.finding import Finding
from octoverse.data.doctor.formats.kitti import examine
from octoverse.data.doctor.looking import Recording


def told(folder: Path, stamps: int, files: int) -> list[Finding]:
    camera = folder / "2011_09_26/2011_09_26_drive_0002_sync/image_02"
    (camera / "data").mkdir(parents=True)
    (camera / "timestamps.txt").write_text("2011-09-26 13:02:44.3\n" * stamps)
    for i in range(files):
        (camera / f"data/{i:010d}.png").write_bytes(b"")
    source: Any = SimpleNamespace(reader=SimpleNamespace(folder=folder))
    return list(examine(cast(Recording, SimpleNamespace(source=source))))


def test_more_stamps_than_files_are_a_fault(tmp_path: Path) -> None:
    (found,) = told(tmp_path, 77, 10)
    assert found.severity == "fault" and "It has 77 stamps for 10 files" in found.message
    assert found.where.endswith("image_02/timestamps.txt")


def test_a_stamp_for_every_file_is_no_fault(tmp_path: Path) -> None:
    assert told(tmp_path, 10, 10) == []
