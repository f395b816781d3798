import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from octoverse.data.logs.drivelm import DriveLMReader
from octoverse.data.logs.nuscenes import NuScenesReader
from octoverse.errors import BadData, UnknownName
from octoverse.preprocess import decode

Write = Callable[..., DriveLMReader]
START = 1_533_280_036_162_460


def frame(name: str, step: int) -> dict[str, Any]:
    time = START + step * 100_000
    pair = {"C": None, "con_up": None}
    return {
        "key_object_infos": {"<c1,CAM_FRONT,7.0,5.0>": {"Category": "Vehicle"}},
        "QA": {
            "planning": [{"Q": f"What at {step}?", "A": "Stop.", **pair}],
            "behavior": [{"Q": "And then?", "A": f"Wait {step}.", **pair}],
        },
        "image_paths": {
            channel: f"../nuscenes/samples/{channel}/{name}__{channel}__{time}.jpg"
            for channel in ("CAM_FRONT", "CAM_BACK")
        },
    }


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(**frames: Any) -> DriveLMReader:
        frames = frames or {f"s {i}": frame("scene-0001", i) for i in (5, 0)}
        told = {"t-scene-0001": {"scene_description": "It stops.", "key_frames": frames}}
        (tmp_path / "qa.json").write_text(json.dumps(told))
        return DriveLMReader(file=tmp_path / "qa.json", images=tmp_path)

    return written


def test_questions_stand_in_the_order_of_time(write: Write, tmp_path: Path) -> None:
    reader = write()
    drive = reader.drive(reader.keys()[0])
    asked = [q.question for q in drive.questions]
    assert asked == ["What at 0?", "And then?", "What at 5?", "And then?"]
    assert {q.kind for q in drive.questions} == {"planning", "behaviour"}
    assert drive.questions[2].at_ns - drive.questions[0].at_ns == 500_000_000
    assert drive.ego is None and drive.speed is None and drive.agents is None
    assert list(drive.cameras) == ["front", "rear"]
    assert drive.cameras["front"].times_ns[0] == START * 1000
    assert drive.cameras["front"].calibration is None
    image = tmp_path / f"nuscenes/samples/CAM_BACK/scene-0001__CAM_BACK__{START}.jpg"
    with pytest.raises(BadData, match=rf"CAM_BACK__{START}\.jpg: .*qa\.json names this image"):
        drive.cameras["rear"].images[0]
    image.parent.mkdir(parents=True)
    image.write_bytes(b"back")
    assert drive.cameras["rear"].images[0] == b"back"


def test_over_the_tables_of_nuscenes_drives_have_all(
    write: Write, write_nuscenes: Callable[..., Path]
) -> None:
    tables = NuScenesReader(folder=write_nuscenes(), version="v1.0-mini")
    frames = {f"scene-0001 {i}": frame("scene-0001", i) for i in (10, 5)}
    alone = write(**frames)
    reader = DriveLMReader(file=alone.file, images=alone.images, tables=tables)
    drive = reader.drive("t-scene-0001")
    assert drive.key == "t-scene-0001"
    assert drive.ego is not None and drive.agents is not None
    assert (
        drive.cameras["front"].calibration is not None and len(drive.cameras["front"].images) == 21
    )
    asked = [question.at_ns for question in drive.questions]
    assert asked == [(START + i * 100_000) * 1000 for i in (5, 5, 10, 10)]
    assert reader.fingerprint() != alone.fingerprint()

    lost = write(**frames, lost=frame("scene-0001", 15))
    reader = DriveLMReader(file=lost.file, images=lost.images, tables=tables)
    with pytest.raises(BadData, match=r"expected its key frame lost in the tables of v1\.0-mini"):
        reader.drive("t-scene-0001")


def test_a_scene_that_the_tables_lack_is_named(
    write: Write, write_nuscenes: Callable[..., Path]
) -> None:
    def edit(tables: dict[str, list[dict[str, Any]]]) -> None:
        for table, field in (("scene", "token"), ("sample", "scene_token")):
            for row in tables[table]:
                row[field] = "other " + row[field]

    tables = NuScenesReader(folder=write_nuscenes(edit), version="v1.0-mini")
    alone = write()
    reader = DriveLMReader(file=alone.file, images=alone.images, tables=tables)
    with pytest.raises(BadData, match=r"expected its key frame s 0 in the tables of v1\.0-mini"):
        reader.drive("t-scene-0001")


def test_the_fingerprint_changes_with_the_questions(write: Write) -> None:
    before = write().fingerprint()
    assert before == write().fingerprint()
    assert write(one=frame("scene-0001", 1)).fingerprint() != before


def test_bad_files_are_named(write: Write, tmp_path: Path) -> None:
    reader = DriveLMReader(file=tmp_path / "qa.json", images=tmp_path)
    with pytest.raises(
        BadData, match=r"qa\.json: expected DriveLM's questions in JSON, found no f"
    ):
        reader.keys()
    (tmp_path / "qa.json").write_text("{}")
    with pytest.raises(BadData, match=r"qa\.json: expected scenes, found none"):
        reader.keys()
    (tmp_path / "qa.json").write_text('{"a": {"key_frames": {"b": {"QA"')
    with pytest.raises(
        BadData, match=r"qa\.json: expected scenes with key_frames, QA and image_pa"
    ):
        reader.keys()
    (tmp_path / "qa.json").write_text('{"a": {"key_frames": {}}}')
    reader = DriveLMReader(file=tmp_path / "qa.json", images=tmp_path)
    with pytest.raises(BadData, match="scene a: expected key frames, found none"):
        reader.drive("a")
    with pytest.raises(UnknownName, match=r"No scene in .*qa\.json named 'c'"):
        reader.drive("c")


def test_bad_key_frames_are_named(write: Write) -> None:
    nameless = frame("scene-0001", 0)
    nameless["image_paths"]["CAM_FRONT"] = "front.jpg"
    with pytest.raises(
        BadData, match=r"image of CAM_FRONT whose name ends in its .* got 'front.jpg"
    ):
        write(one=nameless).drive("t-scene-0001")
    one_eyed = frame("scene-0001", 5)
    del one_eyed["image_paths"]["CAM_BACK"]
    with pytest.raises(BadData, match=r"image of CAM_BACK whose name ends in its time, .* got ''"):
        write(one=frame("scene-0001", 0), two=one_eyed).drive("t-scene-0001")
    with pytest.raises(BadData, match=r"the time of CAM_FRONT to increase"):
        write(one=nameless | frame("a", 0), two=frame("b", 0)).drive("t-scene-0001")


def test_a_real_scene_is_read(real_data: Callable[[str], Path]) -> None:
    folder = real_data("drivelm-nuscenes-sample")
    reader = DriveLMReader(file=folder / "train_sample.json", images=folder)
    drive = reader.drive(reader.keys()[0])
    assert sorted(drive.cameras) == [
        "cross_left",
        "cross_right",
        "front",
        "rear",
        "side_left",
        "side_right",
    ]
    stamps = np.stack([camera.times_ns for camera in drive.cameras.values()])
    assert stamps.shape == (6, 5)
    assert np.ptp(stamps, axis=0).max() < 60_000_000  # the cameras of a key frame belong together
    gaps = np.diff(drive.cameras["front"].times_ns) / 1e9
    assert 2.4 < gaps.min() and gaps.max() < 3.6
    assert all(
        decode(camera.images[0]).shape == (900, 1600, 3) for camera in drive.cameras.values()
    )
    answers = [q.answer for q in drive.questions if q.kind == "behaviour"]
    assert len(drive.questions) == 479 and len(answers) == 5
    # In the order of time the car drives, slows down and stands, as the scene is described.
    assert "normal speed" in answers[0] and "slowly" in answers[1]
    assert all("not moving" in answer for answer in answers[2:])
