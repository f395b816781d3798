from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import feather

from octoverse.data.logs.argoverse2_sensor import Argoverse2SensorReader, calibrations
from octoverse.errors import BadData, UnknownName
from octoverse.rotation import heading_of

SLICE = "av2-sensor-log/val"


def turned(yaw: np.ndarray | float) -> dict[str, np.ndarray]:
    yaw = np.atleast_1d(yaw)
    zero = np.zeros_like(yaw)
    return {"qw": np.cos(yaw / 2), "qx": zero, "qy": zero, "qz": np.sin(yaw / 2)}


def placed(x: Any, y: Any) -> dict[str, np.ndarray]:
    x, y = np.broadcast_arrays(np.atleast_1d(x), np.atleast_1d(y))
    return {"tx_m": x * 1.0, "ty_m": y * 1.0, "tz_m": np.zeros(len(x))}


def write(path: Path, table: dict[str, Any], **changed: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    feather.write_feather(pa.table(table | changed), path)


@pytest.fixture
def split(tmp_path: Path) -> Path:
    """One log: the car drives along the city's y; what is 10 m ahead of it at first stands."""
    log, time = tmp_path / "log", np.arange(0, 11) * 10**8
    poses = {"timestamp_ns": time, **turned(np.full(11, np.pi / 2)), **placed(100, np.arange(11.0))}
    write(log / "city_SE3_egovehicle.feather", poses)
    boxes = {
        "timestamp_ns": time[:3],
        "track_uuid": ["a"] * 3,
        "category": ["BUS"] * 3,
        "length_m": [9.0] * 3,
        "width_m": [2.5] * 3,
        "height_m": [3.0] * 3,
        **turned(np.full(3, np.pi / 2)),
        **placed(10 - np.arange(3.0), 2),
    }
    write(log / "annotations.feather", boxes)
    names = ["ring_front_center", "ring_side_left"]
    write(
        log / "calibration/egovehicle_SE3_sensor.feather",
        {"sensor_name": names, **turned(np.zeros(2)), **placed([1.6, 1.3], [0, 0.3])},
    )
    lens = {
        "fx_px": [1700.0, 1600],
        "fy_px": [1700.0, 1600],
        "cx_px": [775.0, 1024],
        "cy_px": [1024.0, 775],
    }
    write(log / "calibration/intrinsics.feather", {"sensor_name": names, **lens})
    images = log / "sensors/cameras/ring_front_center"
    images.mkdir(parents=True)
    for stamp in (900, 50):
        (images / f"{stamp}.jpg").write_bytes(f"{stamp}".encode())
    return tmp_path


def test_a_log_is_read(split: Path) -> None:
    reader = Argoverse2SensorReader(folder=split)
    assert list(reader.keys()) == ["log"]
    drive = reader.drive("log")
    assert drive.ego is not None and heading_of(drive.ego.rotations)[0] == pytest.approx(np.pi / 2)
    camera = drive.cameras["front"]
    assert list(drive.cameras) == ["front"]
    assert (camera.times_ns.tolist(), camera.images[0]) == ([50, 900], b"50")
    assert camera.calibration is not None and camera.calibration.extrinsics[3] == 1.6
    assert camera.calibration.intrinsics == (1700, 0, 775, 0, 1700, 1024, 0, 0, 1)
    assert drive.speed is drive.steering is drive.command is drive.instruction is None


def test_boxes_are_brought_into_the_city(split: Path) -> None:
    agents = Argoverse2SensorReader(folder=split).drive("log").agents
    assert agents is not None and agents.kind.tolist() == ["BUS"] * 3
    assert agents.positions == pytest.approx(np.tile([98.0, 10.0, 0.0], (3, 1)))
    assert np.abs(agents.headings) == pytest.approx(np.pi)
    assert agents.velocity == pytest.approx(np.zeros((3, 2)))
    assert agents.size[0].tolist() == [9.0, 2.5, 3.0]


def test_hidden_boxes_are_absent(split: Path) -> None:
    (split / "log/annotations.feather").unlink()
    assert Argoverse2SensorReader(folder=split).drive("log").agents is None


def test_the_fingerprint_changes_with_the_tables(split: Path) -> None:
    before = Argoverse2SensorReader(folder=split).fingerprint()
    write(split / "log/annotations.feather", {"none": [1]})
    assert Argoverse2SensorReader(folder=split).fingerprint() != before


def test_another_folder_and_a_name_are_refused(split: Path, tmp_path: Path) -> None:
    with pytest.raises(BadData, match="expected folders of Argoverse 2 sensor logs with city_SE3"):
        Argoverse2SensorReader(folder=split / "log").keys()
    with pytest.raises(UnknownName, match=r"No log in .* named 'lag'\. Did you mean 'log'\?"):
        Argoverse2SensorReader(folder=split).drive("lag")


@pytest.mark.parametrize(
    ("table", "changed", "words"),
    [
        ("city_SE3_egovehicle", {"timestamp_ns": [2, 1]}, r"to increase, got 1 after 2 in row 1"),
        (
            "city_SE3_egovehicle",
            {"tx_m": [0, np.nan]},
            r"finite numbers in tx_m to tz_m, got \[nan",
        ),
        ("city_SE3_egovehicle", {"qw": [np.inf, 1]}, r"finite numbers in qw to qz, got \[ *inf"),
        (
            "annotations",
            {"timestamp_ns": [1, 7]},
            r"boxes at 7 ns have no pose of that time in cit",
        ),
        (
            "calibration/intrinsics",
            {"sensor_name": ["ring_front_center", "eye"]},
            r"'eye' is not in egovehicle_SE3_sensor\.feather, which has ring_front_center",
        ),
    ],
)
def test_bad_tables_are_named(split: Path, table: str, changed: dict[str, Any], words: str) -> None:
    path = split / f"log/{table}.feather"
    known = {k: v[:2] for k, v in feather.read_table(path).to_pydict().items()}
    write(path, known, **changed)
    if table == "annotations":
        poses = split / "log/city_SE3_egovehicle.feather"
        known = {k: v[:2] for k, v in feather.read_table(poses).to_pydict().items()}
        write(poses, known, timestamp_ns=[1, 2])
    with pytest.raises(BadData, match=rf"{path.name}: .*{words}"):
        Argoverse2SensorReader(folder=split).drive("log")


def test_an_empty_log_is_refused(split: Path) -> None:
    path = split / "log/city_SE3_egovehicle.feather"
    feather.write_feather(feather.read_table(path).slice(0, 0), path)
    with pytest.raises(BadData, match=r"egovehicle\.feather: expected poses, found none"):
        Argoverse2SensorReader(folder=split).drive("log")


def test_cameras_that_do_not_fit_are_named(split: Path) -> None:
    cameras = split / "log/sensors/cameras"
    (cameras / "ring_front_center/first.jpg").touch()
    with pytest.raises(BadData, match="ring_front_center: expected images named by their time"):
        Argoverse2SensorReader(folder=split).drive("log")
    (cameras / "ring_front_center/first.jpg").unlink()
    (cameras / "eye").mkdir()
    with pytest.raises(BadData, match="eye: the log's calibration has no such camera"):
        Argoverse2SensorReader(folder=split).drive("log")


def test_cameras_of_a_real_log_look_where_they_say(real_data: Callable[[str], Path]) -> None:
    log = next((real_data(SLICE)).iterdir())
    found = {
        role: np.array(known.extrinsics).reshape(4, 4) for role, known in calibrations(log).items()
    }
    ahead = {role: np.degrees(np.arctan2(m[1, 2], m[0, 2])) for role, m in found.items()}
    for role, angle in {"front": 0, "cross_left": 45, "side_left": 99, "rear_left": 153}.items():
        assert ahead[role] == pytest.approx(angle, abs=1)
        if angle:
            right = role.replace("left", "right")
            assert ahead[right] == pytest.approx(-angle, abs=1)
            assert found[role][1, 3] > 0.1 > -0.1 > found[right][1, 3]
    assert all(m[2, 1] < -0.99 for m in found.values())  # images stand upright: their y points down
    assert len(found) == 9


def test_the_car_of_a_real_log_moves_where_it_points(real_data: Callable[[str], Path]) -> None:
    reader = Argoverse2SensorReader(folder=real_data(SLICE))
    ego = reader.drive(reader.keys()[0]).ego
    assert ego is not None
    gaps = np.diff(ego.times_ns)
    assert (gaps.min(), len(gaps)) == (1, 2705)  # sensors that fire within a nanosecond
    assert ego.rotations[:, 2, 2].min() > 0.99  # upright: quaternions begin with w
    step = 40  # 0.2 s
    moved = ego.positions[step:] - ego.positions[:-step]
    fast = np.linalg.norm(moved, axis=1) > 0.4
    heading = heading_of(ego.rotations)[step // 2 :][: len(moved)]
    aside = np.sin(np.arctan2(moved[:, 1], moved[:, 0]) - heading)[fast]
    along = np.cos(np.arctan2(moved[:, 1], moved[:, 0]) - heading)[fast]
    assert np.ptp(np.unwrap(heading)) > 1.0  # 70 degrees of turning
    assert np.abs(aside).max() < 0.03 and along.min() > 0.99


def test_what_stands_in_a_real_log_stands_still(real_data: Callable[[str], Path]) -> None:
    reader = Argoverse2SensorReader(folder=real_data(SLICE))
    drive = reader.drive(reader.keys()[0])
    agents, ego = drive.agents, drive.ego
    assert agents is not None and ego is not None
    assert np.linalg.norm(np.diff(ego.positions, axis=0), axis=1).sum() > 70  # the car drives
    spread, direction = [], []
    for who in np.unique(agents.identity[agents.kind == "REGULAR_VEHICLE"]):
        rows = agents.identity == who
        if rows.sum() >= 30:
            place = agents.positions[rows, :2]
            away = np.linalg.norm(place - np.median(place, axis=0), axis=1)
            spread.append(np.percentile(away, 90))
            vx, vy = agents.velocity[rows].T
            fast = np.hypot(vx, vy) > 3
            direction.extend(np.cos(np.arctan2(vy, vx) - agents.headings[rows])[fast])
    assert sum(np.array(spread) < 0.5) >= 25  # parked cars
    assert np.median(direction) > 0.99  # moving cars move where they point
    row = np.searchsorted(ego.times_ns, agents.times_ns)
    gap = np.linalg.norm(agents.positions - ego.positions[row], axis=1)
    assert gap.min() > 2.5  # the recording car is none of them


def test_boxes_of_a_real_log_hold_the_laser_points_that_their_makers_counted(
    real_data: Callable[[str], Path],
) -> None:
    reader = Argoverse2SensorReader(folder=real_data(SLICE))
    drive = reader.drive(reader.keys()[0])
    agents, ego, log = drive.agents, drive.ego, reader.folder / drive.key
    assert agents is not None and ego is not None
    told = feather.read_table(log / "annotations.feather").to_pydict()
    counted = dict(
        zip(
            zip(told["timestamp_ns"], told["track_uuid"], strict=True),
            told["num_interior_pts"],
            strict=True,
        )
    )
    for sweep in sorted((log / "sensors/lidar").iterdir()):
        points = feather.read_table(sweep)
        seen = np.stack([points[axis].to_numpy().astype(float) for axis in "xyz"], axis=1)
        time = int(sweep.stem)
        row = np.searchsorted(ego.times_ns, time)
        city = seen @ ego.rotations[row].T + ego.positions[row]
        found, expected = [], []
        for i in np.flatnonzero(agents.times_ns == time):
            away = city - agents.positions[i]
            cos, sin = np.cos(agents.headings[i]), np.sin(agents.headings[i])
            along = cos * away[:, 0] + sin * away[:, 1]
            aside = cos * away[:, 1] - sin * away[:, 0]
            inside = np.abs(np.stack([along, aside, away[:, 2]], axis=1)) <= agents.size[i] / 2
            found.append(inside.all(axis=1).sum())
            expected.append(counted[time, agents.identity[i]])
        assert len(found) > 50 and max(expected) > 500
        off = np.abs(np.array(found) - expected)
        assert np.mean(off <= np.maximum(2, 0.1 * np.array(expected))) > 0.95
