from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from octoverse import rotation
from octoverse.data.dataset import open_data
from octoverse.data.logs.kitti import REAR_AXLE, KittiReader, mercator
from octoverse.data.logs.source import DriveSource
from octoverse.errors import BadData

KEY = "2011_09_26_drive_0009_sync"
CAMERAS = """calib_time: 09-Jan-2012 13:57:47
R_rect_00: 1 0 0 0 1 0 0 0 1
P_rect_02: 700 0 600 42 0 700 170 0 0 0 1 0
P_rect_03: 700 0 600 -336 0 700 170 0 0 0 1 0
"""
LIDAR = "calib_time: x\nR: 0 -1 0 0 0 -1 1 0 0\nT: 0 -0.08 -0.27\ndelta_f: 0 0\n"
UNIT = "calib_time: x\nR: 1 0 0 0 1 0 0 0 1\nT: -0.81 0.32 -0.80\n"


@pytest.fixture
def kitti(tmp_path: Path) -> Path:
    """40 frames of a turn to the left at 10 m/s, 12 s of stamps, of which some have no frames."""
    day = tmp_path / "2011_09_26"
    drive = day / KEY
    stamps = [f"2011-09-26 13:02:{44 + i / 10:.9f}" for i in range(120)]
    for name, ending in (("image_02", "png"), ("image_03", "png"), ("oxts", "txt")):
        (drive / name / "data").mkdir(parents=True)
        (drive / name / "timestamps.txt").write_text("\n".join(stamps) + "\n")
        for i in range(40):
            content = line(i / 10) if name == "oxts" else f"{name} {i}"
            (drive / name / f"data/{i:010d}.{ending}").write_text(content)
    (day / "calib_cam_to_cam.txt").write_text(CAMERAS)
    (day / "calib_velo_to_cam.txt").write_text(LIDAR)
    (day / "calib_imu_to_velo.txt").write_text(UNIT)
    return tmp_path


def line(time: float) -> str:
    """The rear axle drives 10 m/s on a circle of 50 m; the unit sits where it sits in the car."""
    yaw = 0.2 * time - 1.0
    car = rotation.from_roll_pitch_yaw(*map(np.array, (0.0, 0.0, yaw)))
    unit = 50 * np.array([np.sin(yaw), -np.cos(yaw), 0]) - car @ REAR_AXLE
    numbers = np.zeros(30)
    start = np.radians(49.0)
    north = 1 / np.cos(start) * unit[1] / 6378137.0 + np.log(np.tan(np.pi / 4 + start / 2))
    numbers[0] = np.degrees(2 * np.arctan(np.exp(north)) - np.pi / 2)
    numbers[1] = 8.4 + np.degrees(unit[0] / 6378137.0 / np.cos(start))
    numbers[2], numbers[5], numbers[22] = 116 + unit[2], yaw, 0.2
    numbers[8] = 10.0 + 0.2 * REAR_AXLE[1]
    return " ".join(map(str, numbers))


def drive(kitti: Path) -> Any:
    return KittiReader(folder=kitti).drive(KEY)


def test_the_rear_axle_drives_its_circle_and_speed_is_its_own(kitti: Path) -> None:
    found = drive(kitti)
    assert KittiReader(folder=kitti).keys() == [KEY]
    step = np.diff(found.ego.positions, axis=0)
    inside = np.einsum("nji,nj->ni", found.ego.rotations[:-1], step) * 10
    np.testing.assert_allclose(inside[:, 0], 10.0, atol=0.01)
    assert (inside[:, 1] > 0.05).all(), "to the left"
    np.testing.assert_allclose(found.speed.values, 10.0)
    middle = np.array([-50 * np.sin(-1.0), 50 * np.cos(-1.0)]) + found.ego.positions[0, :2]
    radius = np.linalg.norm(found.ego.positions[:, :2] - middle, axis=1)
    np.testing.assert_allclose(radius, 50.0, atol=0.01)


def test_frames_decide_and_stamps_without_frames_are_left_out(kitti: Path) -> None:
    (kitti / f"2011_09_26/{KEY}/image_02/data/0000000007.png").unlink()
    found = drive(kitti)
    assert len(found.ego.times_ns) == 40
    front = found.cameras["front"]
    assert len(front.images) == len(front.times_ns) == 39
    assert np.diff(front.times_ns)[6] == 200_000_000
    assert front.images[7] == b"image_02 8"
    start = np.datetime64("2011-09-26T13:02:44", "ns").astype(np.int64)
    assert front.times_ns[0] == start


def test_cameras_stand_where_the_drawing_has_them(kitti: Path) -> None:
    cameras = drive(kitti).cameras
    assert list(cameras) == ["front", "front_right"]
    left, right = (np.reshape(c.calibration.extrinsics, (4, 4)) for c in cameras.values())
    np.testing.assert_allclose(left[:3, :3], [[0, 0, 1], [-1, 0, 0], [0, -1, 0]], atol=1e-12)
    # 0.27 m ahead of the laser, which is 0.81 m ahead of the unit; 6 cm to the left; 1.65 m high.
    np.testing.assert_allclose(left[:3, 3], [1.03, 0.06, 1.65 - 0.30], atol=0.01)
    np.testing.assert_allclose(right[:3, 3] - left[:3, 3], [0, -0.54, 0], atol=1e-9)
    assert cameras["front"].calibration.intrinsics == (700, 0, 600, 0, 700, 170, 0, 0, 1)


def test_other_agents_are_read_where_they_are_labelled(kitti: Path) -> None:
    assert drive(kitti).agents is None
    (kitti / f"2011_09_26/{KEY}/tracklet_labels.xml").write_text(
        "<a><tracklets><item><objectType>Tram</objectType><h>3</h><w>2</w><l>20</l>"
        "<first_frame>7</first_frame><poses><item><tx>30</tx><ty>0</ty><tz>-1.7</tz><rz>0</rz>"
        "</item></poses></item></tracklets></a>"
    )
    source = DriveSource(reader=KittiReader(folder=kitti), label="kitti")
    tracks = source.episode(0).tracks
    assert tracks is not None and tracks.kind.tolist() == ["Tram"] and tracks.step.tolist() == [7]
    np.testing.assert_allclose(tracks.pose[0], [30.76, 0, 0], atol=1e-3)


def test_missing_cameras_are_absent(kitti: Path) -> None:
    for name in ("image_02", "image_03"):
        (kitti / f"2011_09_26/{KEY}/{name}").rename(kitti / name)
    assert drive(kitti).cameras == {}


def test_a_metre_is_a_metre_at_the_first_latitude() -> None:
    rows = np.zeros((3, 30))
    rows[:, 0], rows[:, 1] = 49.0, 8.0
    rows[1, 0] += np.degrees(1 / 6378137.0)
    rows[2, 1] += np.degrees(1 / 6378137.0 / np.cos(np.radians(49.0)))
    np.testing.assert_allclose(mercator(rows), [[0, 0, 0], [0, 1, 0], [1, 0, 0]], atol=1e-6)


def test_its_fingerprint_changes_with_numbers_and_images(kitti: Path) -> None:
    prints = [KittiReader(folder=kitti).fingerprint()]
    (kitti / f"2011_09_26/{KEY}/oxts/data/0000000000.txt").write_text("0")
    prints.append(KittiReader(folder=kitti).fingerprint())
    (kitti / f"2011_09_26/{KEY}/image_02/data/0000000000.png").unlink()
    prints.append(KittiReader(folder=kitti).fingerprint())
    assert len(set(prints)) == 3


def test_another_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadData, match=r"expected drives of KITTI raw \(date/drive/oxts\), found"):
        KittiReader(folder=tmp_path).keys()


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        (
            "oxts/timestamps.txt",
            "2011-09-26 13:02:44.1\n",
            "0000000001.txt: .* number below 1, the",
        ),
        ("oxts/timestamps.txt", "noon\n", "timestamps.txt: expected a date and a time in each"),
        ("oxts/timestamps.txt", None, "timestamps.txt: expected this file .* No such file"),
        ("image_02/data/x.png", "", "x.png: expected a frame with a number below 120"),
        ("oxts/data/0000000003.txt", "1 2 3", "0000000003.txt: expected 30 finite numbers .* '1 2"),
        ("oxts/data/0000000003.txt", "nan " * 30, "0000000003.txt: expected 30 finite numbers"),
        ("../calib_cam_to_cam.txt", "R_rect_00: 1 0", "expected P_rect_02 .* 'no such line'"),
        ("../calib_imu_to_velo.txt", "R: 1 0\nT: 1 2 3", "expected R with 9 numbers, got ' 1 0'"),
        ("../calib_velo_to_cam.txt", None, "calib_velo_to_cam.txt: expected this file of KITTI"),
    ],
)
def test_a_damaged_file_is_named(kitti: Path, file: str, content: str | None, message: str) -> None:
    path = kitti / f"2011_09_26/{KEY}" / file
    if content is None:
        path.unlink()
    else:
        path.write_text(content)
    with pytest.raises(BadData, match=message):
        drive(kitti)


def test_an_empty_stream_is_refused(kitti: Path) -> None:
    for path in (kitti / f"2011_09_26/{KEY}/oxts/data").iterdir():
        path.unlink()
    with pytest.raises(BadData, match=r"expected frames .* found none. The stream is empty"):
        drive(kitti)


def test_a_clock_that_goes_back_is_refused(kitti: Path) -> None:
    path = kitti / f"2011_09_26/{KEY}/oxts/timestamps.txt"
    lines = path.read_text().splitlines()
    lines[5] = lines[3]
    path.write_text("\n".join(lines))
    source = DriveSource(reader=KittiReader(folder=kitti), label="kitti")
    with pytest.raises(BadData, match=r"sync: ego motion: .* got -0\.1 s from sample 4 to 5"):
        len(source)


def test_an_image_that_is_gone_is_named(kitti: Path) -> None:
    found = drive(kitti)
    (kitti / f"2011_09_26/{KEY}/image_03/data/0000000011.png").unlink()
    with pytest.raises(BadData, match=r"0000000011\.png: .*image_03 names this image"):
        found.cameras["front_right"].images[11]


def test_the_real_second_agrees_with_its_own_velocities(real_data: Callable[[str], Path]) -> None:
    root = real_data("kitti-raw-drive-0002")
    reader = KittiReader(folder=root)
    (key,) = reader.keys()
    found = reader.drive(key)
    assert found.ego is not None and found.speed is not None
    seconds = np.diff(found.ego.times_ns) / 1e9
    inside = np.einsum("nji,nj->ni", found.ego.rotations[:-1], np.diff(found.ego.positions, axis=0))
    speed = np.ravel(np.asarray(found.speed.values))
    assert 8.6 < speed.min() and speed.max() < 9.0
    assert np.abs(inside[:, 0] / seconds - speed[:-1]).max() < 0.1
    assert np.abs(inside[:, 1] / seconds).max() < 0.1

    rows = np.stack([np.loadtxt(file) for file in sorted(root.rglob("oxts/data/*.txt"))])
    turning = np.diff(rotation.heading_of(found.ego.rotations)) / seconds
    assert np.corrcoef(turning, rows[:-1, 22])[0, 1] > 0.9, "left is positive"
    assert np.abs(turning - rows[:-1, 22]).max() < 0.03
    assert len(found.cameras["front"].images) == 10
    looks = found.cameras["front"].calibration
    assert looks is not None
    place = np.reshape(looks.extrinsics, (4, 4))[:3, 3]
    assert place[2] + 0.30 == pytest.approx(1.65, abs=0.02), "the drawing's height of the cameras"


def test_the_real_second_is_opened_by_name(real_data: Callable[[str], Path]) -> None:
    root = str(real_data("kitti-raw-drive-0002").parent)
    whole = open_data("kitti-raw-drive-0002", root, "all").episode(0)
    assert len(whole) == 10 and set(whole.observation) == {"front", "speed"}
    assert whole.action_valid["path"].sum() == 45 and len(whole.observation["front"][9]) > 100_000
    train, val = (open_data("kitti-raw-drive-0002", root, s).episode(0) for s in ("train", "val"))
    assert (len(train), len(val)) == (8, 2)
    # A second is too short for a gap: train looks no further than where val begins.
    assert train.action_valid["path"].sum(axis=1).tolist() == [7, 6, 5, 4, 3, 2, 1, 0]
