import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numcodecs
import numpy as np
import pytest

from octoverse.data.logs.lyft import LyftReader
from octoverse.errors import BadData, UnknownName
from octoverse.rotation import heading_of

SLICE = "lyft-l5-scene/single_scene.zarr"


@pytest.fixture
def copied(real_data: Callable[[str], Path], tmp_path: Path) -> Path:
    folder = tmp_path / "copy.zarr"
    shutil.copytree(real_data(SLICE), folder, copy_function=shutil.copyfile)
    for path in (folder, *folder.iterdir()):
        path.chmod(0o755)
    return folder


def change(folder: Path, array: str, edit: Callable[[np.ndarray], None]) -> None:
    """Edits the first chunk of an array."""
    told = json.loads((folder / array / ".zarray").read_text())
    kind = np.dtype([(n, k, *(tuple(shape) for shape in more)) for n, k, *more in told["dtype"]])
    codec = numcodecs.get_codec(told["compressor"])
    rows = np.frombuffer(codec.decode((folder / array / "0").read_bytes()), kind).copy()
    edit(rows)
    (folder / array / "0").write_bytes(codec.encode(rows.tobytes()))


def test_a_real_scene_is_read(real_data: Callable[[str], Path]) -> None:
    reader = LyftReader(folder=real_data(SLICE))
    assert list(reader.keys()) == ["host-a101-1571846863319362048"]
    drive = reader.drive(reader.keys()[0])
    assert drive.ego is not None and drive.agents is not None
    assert len(drive.ego.times_ns) == 248 and len(drive.agents.times_ns) == 20802
    assert set(drive.agents.kind) == {
        f"PERCEPTION_LABEL_{kind}" for kind in ("CAR", "CYCLIST", "PEDESTRIAN", "UNKNOWN")
    }
    assert not drive.cameras and drive.speed is None and drive.command is None


def test_the_car_of_a_real_scene_moves_where_it_points(real_data: Callable[[str], Path]) -> None:
    reader = LyftReader(folder=real_data(SLICE))
    ego = reader.drive(reader.keys()[0]).ego
    assert ego is not None
    assert np.diff(ego.times_ns) == pytest.approx(1e8, abs=0.3e7)
    assert ego.rotations[:, 2, 2].min() > 0.99
    moved = (ego.positions[2:] - ego.positions[:-2])[:, :2]
    aside = np.arctan2(moved[:, 1], moved[:, 0]) - heading_of(ego.rotations)[1:-1]
    assert np.abs(aside).max() < 0.05 and np.median(np.abs(aside)) < 0.01


def test_cars_of_a_real_scene_move_as_they_say_and_stand_where_they_are(
    real_data: Callable[[str], Path],
) -> None:
    reader = LyftReader(folder=real_data(SLICE))
    drive = reader.drive(reader.keys()[0])
    agents, ego = drive.agents, drive.ego
    assert agents is not None and ego is not None
    spread, aside, error = [], [], []
    for who in np.unique(agents.identity[agents.kind == "PERCEPTION_LABEL_CAR"]):
        rows = agents.identity == who
        if rows.sum() < 30:
            continue
        place, velocity = agents.positions[rows, :2], agents.velocity[rows]
        speed = np.hypot(*velocity.T)
        away = np.linalg.norm(place - np.median(place, axis=0), axis=1)
        if np.median(speed) < 0.1:
            spread.append(np.percentile(away, 90))
        elif np.median(speed) > 3:
            aside.extend(np.arctan2(velocity[:, 1], velocity[:, 0]) - agents.headings[rows])
            moved = np.gradient(place, agents.times_ns[rows] / 1e9, axis=0)
            error.append(np.median(np.linalg.norm(moved - velocity, axis=1)))
    assert np.median(spread) < 1.0
    assert np.median(np.cos(aside)) > 0.99
    assert np.median(error) < 0.6
    row = np.searchsorted(ego.times_ns, agents.times_ns)
    assert np.linalg.norm(agents.positions - ego.positions[row], axis=1).min() > 2.5


@pytest.mark.parametrize(
    ("array", "field", "value", "words"),
    [
        (
            "frames",
            "timestamp",
            5,
            r"scene host-a101-\d+: expected timestamp to increase, got 5 aft",
        ),
        ("frames", "ego_translation", np.nan, "expected finite numbers in ego_translation, got"),
        ("frames", "ego_rotation", np.inf, "expected finite numbers in ego_rotation, got"),
        ("frames", "agent_index_interval", 10**6, "expected each frame's agents after those of th"),
        ("agents", "centroid", np.nan, "expected finite numbers in centroid, got"),
        ("agents", "yaw", np.nan, "expected finite numbers in yaw, got nan in row 3"),
    ],
)
def test_bad_values_are_named(
    copied: Path, array: str, field: str, value: float, words: str
) -> None:
    def edit(rows: np.ndarray) -> None:
        rows[field][3] = value

    change(copied, array, edit)
    reader = LyftReader(folder=copied)
    with pytest.raises(BadData, match=words):
        reader.drive(reader.keys()[0])


def test_a_scene_without_frames_and_frames_that_do_not_exist_are_named(copied: Path) -> None:
    change(copied, "scenes", lambda rows: rows["frame_index_interval"].__setitem__(0, (7, 7)))
    reader = LyftReader(folder=copied)
    with pytest.raises(BadData, match="expected frames, found none"):
        reader.drive(reader.keys()[0])
    change(copied, "scenes", lambda rows: rows["frame_index_interval"].__setitem__(0, (0, 900)))
    reader = LyftReader(folder=copied)
    with pytest.raises(BadData, match=r"frames: expected rows 0 to 248, asked for 0 to 900"):
        reader.drive(reader.keys()[0])


def test_a_torn_folder_is_named(copied: Path) -> None:
    reader = LyftReader(folder=copied)
    before = reader.fingerprint()
    (copied / ".zattrs").write_text("{}")
    assert reader.fingerprint() != before
    with pytest.raises(BadData, match=r"\.zattrs: expected the labels of the agents in JSON"):
        reader.drive(reader.keys()[0])
    (copied / "agents/1").unlink()
    with pytest.raises(BadData, match=r"agents/1: expected a chunk of this array, found none"):
        reader.drive(reader.keys()[0])
    with pytest.raises(UnknownName, match=r"No scene in .* named 'host'"):
        reader.drive("host")
    with pytest.raises(BadData, match=r"expected a zarr folder of Lyft Level 5 with scenes, frame"):
        LyftReader(folder=copied / "frames").keys()
    told = json.loads((copied / "scenes/.zarray").read_text()) | {"shape": [0]}
    (copied / "scenes/.zarray").write_text(json.dumps(told))
    with pytest.raises(BadData, match="scenes: expected scenes, found none"):
        LyftReader(folder=copied).keys()
