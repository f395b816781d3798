import json
from pathlib import Path

import numpy as np
import pytest
import simplejpeg

from octoverse.data.doctor.finding import Finding
from octoverse.data.doctor.runner import examine
from octoverse.data.logs.donkeycar import DonkeycarSource


def tub(folder: Path, step_ms: int | None, count: int = 40) -> list[Finding]:
    (folder / "images").mkdir()
    rng = np.random.default_rng(0)
    lines = []
    for i in range(count):
        picture = rng.integers(0, 256, (12, 16, 3), np.uint8)
        (folder / "images" / f"{i}.jpg").write_bytes(simplejpeg.encode_jpeg(picture))
        record = {"_index": i, "cam/image_array": f"{i}.jpg", "user/mode": "user"}
        record |= {"user/angle": float(np.sin(i / 5)), "user/throttle": float(np.cos(i / 7))}
        if step_ms is not None:
            record["_timestamp_ms"] = 1_600_000_000_000 + i * step_ms
        lines.append(json.dumps(record))
    (folder / "catalog_0.catalog").write_text("\n".join(lines))
    last = {"paths": ["catalog_0.catalog"], "current_index": count}
    (folder / "manifest.json").write_text("[]\n[]\n{}\n{}\n" + json.dumps(last))
    found = examine(DonkeycarSource(folder=folder)).findings
    return [f for f in found if f.severity in ("fault", "suspicion") or f.check == "donkeycar"]


def test_stamps_of_a_conversion_are_a_fault(tmp_path: Path) -> None:
    (found,) = tub(tmp_path, 3)
    assert (found.check, found.severity, found.where) == ("donkeycar", "fault", "_timestamp_ms")
    assert "stamped 0.003 s apart, where a drive loop takes 0.05 s" in found.message


def test_stamps_of_a_drive_are_no_fault(tmp_path: Path) -> None:
    (found,) = tub(tmp_path, 51)
    assert found.severity == "information" and "stamped 0.051 s apart" in found.message


def test_a_tub_without_stamps_says_nothing_of_them(tmp_path: Path) -> None:
    assert tub(tmp_path, None) == []


def test_the_real_tub_has_the_times_of_its_conversion(real_data: object) -> None:
    folder = real_data("donkeycar-tub") / "tub"  # type: ignore[operator]
    source = DonkeycarSource(folder=folder)
    found = examine(source, against=[]).findings
    grave = [(f.check, f.where) for f in found if f.severity in ("fault", "suspicion")]
    assert grave == [("donkeycar", "_timestamp_ms")]
    untold = {f.check for f in found if f.severity == "cannot be told"}
    assert untold == {"units", "clock"}


@pytest.mark.parametrize("split", ["train", "val"])
def test_the_parts_of_the_real_tub_share_nothing(real_data: object, split: str) -> None:
    folder = real_data("donkeycar-tub") / "tub"  # type: ignore[operator]
    other = {"train": "val", "val": "train"}[split]
    against = [DonkeycarSource(folder=folder, split=other)]  # type: ignore[arg-type]
    source = DonkeycarSource(folder=folder, split=split)  # type: ignore[arg-type]
    found = examine(source, against=against).findings
    assert [f.severity for f in found if f.check == "copies"] == ["information"]
