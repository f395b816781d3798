import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from octoverse.data.logs.nuscenes import NuScenesReader
from octoverse.errors import BadData, UnknownName
from octoverse.rotation import heading_of

Write = Callable[..., Path]


def opened(folder: Path) -> NuScenesReader:
    return NuScenesReader(folder=folder, version="v1.0-mini")


def test_a_scene_is_read(write_nuscenes: Write) -> None:
    reader = opened(write_nuscenes())
    assert list(reader.keys()) == ["scene-0001", "scene-0002"]
    drive = reader.drive("scene-0002")
    assert sorted(drive.cameras) == ["cross_left", "front", "rear", "side_right"]
    front = drive.cameras["front"]
    assert front.times_ns[0] == 1_533_281_036_162_460_000
    assert np.diff(front.times_ns).tolist() == [10**8] * 20
    assert front.images[3] == b"scene-0002 CAM_FRONT 3"
    assert drive.speed is drive.steering is drive.command is drive.pedals is None


def test_cameras_look_where_their_roles_say(write_nuscenes: Write) -> None:
    cameras = opened(write_nuscenes()).drive("scene-0001").cameras
    for role, degrees in {"front": 0, "cross_left": 55, "side_right": -110, "rear": 180}.items():
        known = cameras[role].calibration
        assert known is not None and known.intrinsics == (1260, 0, 800, 0, 1260, 450, 0, 0, 1)
        frame = np.array(known.extrinsics).reshape(4, 4)
        ahead, down = frame[:2, 2], frame[:3, 1]
        expected = [np.cos(np.radians(degrees)), np.sin(np.radians(degrees))]
        assert ahead == pytest.approx(expected, abs=1e-9)
        assert down == pytest.approx([0, 0, -1], abs=1e-9)
        assert frame[1, 3] == {"cross_left": 0.5, "side_right": -0.5}.get(role, 0)


def test_the_car_moves_where_it_points(write_nuscenes: Write) -> None:
    ego = opened(write_nuscenes()).drive("scene-0001").ego
    assert ego is not None and len(ego.times_ns) == 21  # five sensors at each time, one pose
    heading = heading_of(ego.rotations)
    moved = (ego.positions[2:] - ego.positions[:-2])[:, :2]
    assert np.arctan2(moved[:, 1], moved[:, 0]) == pytest.approx(heading[1:-1])
    assert np.linalg.norm(moved, axis=1) / 0.2 == pytest.approx(5.0, rel=1e-3)
    assert np.diff(heading) == pytest.approx(0.025)  # left


def test_agents_are_tracks_with_length_before_width(write_nuscenes: Write) -> None:
    agents = opened(write_nuscenes()).drive("scene-0001").agents
    assert agents is not None and len(agents.times_ns) == 5
    assert set(agents.kind) == {"vehicle.car"} and set(agents.identity) == {"car of scene-0001"}
    assert agents.size[0].tolist() == [4.6, 1.9, 1.8]
    assert agents.headings == pytest.approx(np.pi / 2)
    assert agents.velocity == pytest.approx(np.zeros((5, 2)))
    assert agents.positions[0].tolist() == [1000, 2030, 0.9]


def test_hidden_boxes_are_absent(write_nuscenes: Write) -> None:
    folder = write_nuscenes(lambda tables: tables["sample_annotation"].clear())
    assert opened(folder).drive("scene-0001").agents is None


def test_the_can_bus_gives_speed_and_steering(write_nuscenes: Write) -> None:
    folder = write_nuscenes()
    (folder / "can_bus").mkdir()
    pose = [{"utime": 10 + i, "vel": [5.0 + i, 0.0, 0.0], "pos": [0, 0, 0]} for i in range(3)]
    wheel = [{"utime": 10 + i, "value": 0.5} for i in range(2)]
    (folder / "can_bus/scene-0001_pose.json").write_text(json.dumps(pose))
    (folder / "can_bus/scene-0001_steeranglefeedback.json").write_text(json.dumps(wheel))
    reader = opened(folder)
    drive = reader.drive("scene-0001")
    assert drive.speed is not None and drive.steering is not None
    assert drive.speed.times_ns.tolist() == [10_000, 11_000, 12_000]
    assert np.asarray(drive.speed.values).tolist() == [[5], [6], [7]]
    assert np.asarray(drive.steering.values).tolist() == [[0.5], [0.5]]
    assert reader.drive("scene-0002").speed is None
    (folder / "can_bus/scene-0001_pose.json").write_text(json.dumps(pose[::-1]))
    with pytest.raises(BadData, match=r"scene-0001_pose\.json: expected utime to increase"):
        reader.drive("scene-0001")
    (folder / "can_bus/scene-0001_pose.json").write_text("[{")
    with pytest.raises(BadData, match=r"scene-0001_pose\.json: expected a list of messages in JS"):
        reader.drive("scene-0001")


def test_a_missing_image_is_named_when_it_is_read(write_nuscenes: Write) -> None:
    folder = write_nuscenes()
    next(folder.glob("sweeps/CAM_FRONT/scene-0001*")).unlink()
    images = opened(folder).drive("scene-0001").cameras["front"].images
    assert images[0]
    with pytest.raises(BadData, match=r"CAM_FRONT__.*jpg: sample_data\.json \(scene-0001\) names"):
        list(images)


def test_the_fingerprint_changes_with_the_tables(write_nuscenes: Write) -> None:
    before = opened(write_nuscenes()).fingerprint()
    assert before == opened(write_nuscenes()).fingerprint()
    folder = write_nuscenes(lambda tables: tables["ego_pose"][5].update(timestamp=7))
    assert opened(folder).fingerprint() != before


def test_a_reader_is_pickled_with_its_tables(write_nuscenes: Write) -> None:
    reader = opened(write_nuscenes())
    reader.keys()
    again = pickle.loads(pickle.dumps(reader))
    assert again.drive("scene-0001").cameras["front"].images[0] == b"scene-0001 CAM_FRONT 0"


@pytest.mark.parametrize(
    "table",
    [
        "scene",
        "sample",
        "sample_data",
        "ego_pose",
        "calibrated_sensor",
        "sensor",
        "category",
        "instance",
        "sample_annotation",
    ],
)
def test_a_missing_table_is_named(write_nuscenes: Write, table: str) -> None:
    folder = write_nuscenes()
    (folder / f"v1.0-mini/{table}.json").unlink()
    with pytest.raises(BadData, match=rf"{table}\.json: expected this table, found none"):
        opened(folder).keys()


@pytest.mark.parametrize(
    ("table", "field", "named"),
    [
        ("sample", "scene_token", "scene"),
        ("sample_data", "sample_token", "sample"),
        ("sample_data", "calibrated_sensor_token", "calibrated_sensor"),
        ("calibrated_sensor", "sensor_token", "sensor"),
        ("sample_data", "ego_pose_token", "ego_pose"),
        ("sample_annotation", "sample_token", "sample"),
        ("sample_annotation", "instance_token", "instance"),
        ("instance", "category_token", "category"),
    ],
)
def test_a_broken_reference_is_named(
    write_nuscenes: Write, table: str, field: str, named: str
) -> None:
    folder = write_nuscenes(lambda tables: tables[table][0].update({field: "lost"}))
    with pytest.raises(BadData, match=rf"{named}\.json: .* refers to the token 'lost'.*found none"):
        opened(folder).keys()


@pytest.mark.parametrize(
    ("table", "row", "changed", "words"),
    [
        (
            "ego_pose",
            3,
            {"translation": [None, 0, 0]},
            r"ego_pose\.json, row 3: expected token, tr",
        ),
        ("ego_pose", 0, {"rotation": [0, 0, 0, 0]}, r"ego_pose\.json, scene-0001: expected a quat"),
        (
            "sample_data",
            6,
            {"timestamp": 1_533_280_036_362_460},
            r"scene-0001: expected the time of CAM_FRONT to increase, got 1533280036362460000",
        ),
        (
            "calibrated_sensor",
            1,
            {"camera_intrinsic": []},
            r"calibrated_sensor\.json: expected a camera_intrinsic of 3 x 3 for CAM_FRONT, got",
        ),
        (
            "calibrated_sensor",
            1,
            {"rotation": [0, 0, 0, 0]},
            r"calibrated_sensor\.json: expected a quaternion of length 1 in CAM_FRONT, got",
        ),
        (
            "sample_annotation",
            0,
            {"rotation": [0, 0, 0, 0]},
            r"sample_annotation\.json, scene-0001: expected a quaternion of length 1 in rotation",
        ),
    ],
)
def test_bad_rows_are_named(
    write_nuscenes: Write, table: str, row: int, changed: dict[str, Any], words: str
) -> None:
    folder = write_nuscenes(lambda tables: tables[table][row].update(changed))
    with pytest.raises(BadData, match=words):
        opened(folder).drive("scene-0001")


def test_an_empty_scene_is_named(write_nuscenes: Write) -> None:
    def edit(tables: dict[str, list[dict[str, Any]]]) -> None:
        tables["scene"].append({"token": "t", "name": "scene-0003"})

    with pytest.raises(BadData, match=r"ego_pose\.json, scene-0003: expected poses, found none"):
        opened(write_nuscenes(edit)).drive("scene-0003")


def test_other_folders_and_names_are_refused(write_nuscenes: Write, tmp_path: Path) -> None:
    with pytest.raises(BadData, match=r"v1\.0-mini: expected the tables of nuScenes, found no suc"):
        opened(tmp_path).keys()

    def empty(tables: dict[str, list[dict[str, Any]]]) -> None:
        for rows in tables.values():
            rows.clear()

    with pytest.raises(BadData, match=r"v1\.0-mini: expected scenes, found none"):
        opened(write_nuscenes(empty)).keys()
    with pytest.raises(UnknownName, match=r"No scene in .* named 'scene-1'. Did you mean 'scene-0"):
        opened(write_nuscenes()).drive("scene-1")
