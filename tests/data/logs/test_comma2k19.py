import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from octoverse import motion, rotation
from octoverse.data.dataset import open_data
from octoverse.data.logs.comma2k19 import CAMERA, Comma2k19Reader, mounting
from octoverse.data.logs.join import Join, Stretch
from octoverse.embodiment import (
    AccelerationCurvature,
    Embodiment,
    SafeStop,
    State,
    Waypoints,
)
from octoverse.errors import BadData

ROUTE = "b0c9|2018-08-02--08-34-47"
PLACE = np.radians([37.72, -122.47])


@pytest.fixture
def segment(tmp_path: Path) -> Path:
    """20 s to the left at 15 m/s; the camera looks 3 degrees to the right and 2 down."""
    folder = tmp_path / "Chunk_1" / ROUTE / "40"
    time = np.arange(400) / 20
    turned, zero = 0.15 * time + 1.0, np.zeros(400)
    car = rotation.from_roll_pitch_yaw(zero, zero, turned)
    rear = 100.0 * np.stack([np.sin(turned), -np.cos(turned), zero], axis=1)
    looks = rotation.from_roll_pitch_yaw(*map(np.array, (0.0, np.radians(2), np.radians(-3))))
    device = car @ looks @ np.diag([1.0, -1, -1])
    level = rotation.east_north_up(*map(np.array, PLACE))
    here = rotation.geodetic_to_ecef(*map(np.array, (*PLACE, 30.0)))
    speed = 15.0 * car[:, :, 0] + 0.15 * CAMERA[0] * car[:, :, 1]
    save(folder / "global_pose/frame_times", 46408.5 + time)
    save(folder / "global_pose/frame_positions", here + (rear + car @ CAMERA) @ level.T)
    save(folder / "global_pose/frame_velocities", speed @ level.T)
    quaternions = rotation.to_quaternion_wxyz(level @ device)
    save(folder / "global_pose/frame_orientations", quaternions)
    can = 46408.54 + np.arange(1600) / 83
    save(folder / "processed_log/CAN/speed/t", can)
    save(folder / "processed_log/CAN/speed/value", np.full((1600, 1), 15.0))
    save(folder / "processed_log/CAN/steering_angle/t", can)
    save(folder / "processed_log/CAN/steering_angle/value", np.full(1600, 18.0))
    return folder


def save(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        np.save(file, values)


def drive(segment: Path) -> Any:
    return Comma2k19Reader(folder=segment.parents[2]).drive(f"{ROUTE}/40")


def test_ego_motion_is_that_of_the_rear_axle_in_a_level_frame(segment: Path) -> None:
    ego = drive(segment).ego
    assert ego.times_ns[0] == 46_408_500_000_000 and len(ego.times_ns) == 400
    heading = rotation.heading_of(ego.rotations)
    np.testing.assert_allclose(np.unwrap(heading), 0.15 * np.arange(400) / 20 + 1.0, atol=1e-3)
    middle = ego.positions - ego.positions.mean(axis=0)
    np.testing.assert_allclose(ego.rotations[:, 2, 2], 1.0, atol=1e-3)
    assert np.abs(middle[:, 2]).max() < 0.01
    steps = np.linalg.norm(np.diff(ego.positions, axis=0), axis=1) * 20
    np.testing.assert_allclose(steps, 15.0, atol=0.05)


def test_speed_and_steering_are_in_the_units_of_the_house(segment: Path) -> None:
    found = drive(segment)
    assert found.speed.values.shape == found.steering.values.shape == (1600, 1)
    assert found.steering.values[0, 0] == pytest.approx(18 * np.pi / 180)
    assert found.cameras == {}


def test_a_mount_is_found_from_how_the_car_moves() -> None:
    looks = rotation.from_roll_pitch_yaw(*map(np.array, (0.02, 0.05, -0.04)))
    car = rotation.from_roll_pitch_yaw(np.zeros(200), np.zeros(200), np.linspace(0, 3, 200))
    times = np.arange(200) * 50_000_000
    for speed in (15.0, -15.0):
        moved = speed * car[:, :, 0] + CAMERA[0] * (3 / 9.95) * car[:, :, 1]
        found = mounting(car @ looks, moved, times)
        np.testing.assert_allclose(found, looks, atol=2e-3)


def test_a_camera_that_stands_still_looks_ahead() -> None:
    looks = rotation.from_roll_pitch_yaw(*map(np.array, (0.02, 0.05, -0.04)))
    found = mounting(
        np.repeat(looks[None], 200, axis=0), np.zeros((200, 3)), np.arange(200) * 50_000_000
    )
    np.testing.assert_allclose(found[2], looks[2], atol=1e-9)
    assert abs(found[1, 0]) < 1e-9, "ahead has no part to the left"


def test_the_video_is_read_where_it_is(segment: Path) -> None:
    (segment / "video.hevc").write_bytes(b"")
    front = drive(segment).cameras["front"]
    assert len(front.images) == 400 and front.calibration.intrinsics[0] == 910
    extrinsics = np.reshape(front.calibration.extrinsics, (4, 4))
    np.testing.assert_allclose(extrinsics[:3, 3], CAMERA)
    # Ahead in the picture is ahead of the car, right is right, down is down.
    np.testing.assert_allclose(extrinsics[:3, :3], [[0, 0, 1], [-1, 0, 0], [0, -1, 0]], atol=0.06)
    with pytest.raises(BadData, match=r"video\.hevc: expected a raw HEVC stream, found nothing"):
        front.images[0]


def test_segments_are_listed_in_order_of_minutes(segment: Path) -> None:
    for minute in ("9", "100"):
        shutil.copytree(segment, segment.parent / minute)
    reader = Comma2k19Reader(folder=segment.parents[2])
    assert reader.keys() == [f"{ROUTE}/{minute}" for minute in ("9", "40", "100")]
    before = reader.fingerprint()
    save(segment / "processed_log/CAN/speed/value", np.zeros(3))
    assert Comma2k19Reader(folder=segment.parents[2]).fingerprint() != before


def test_another_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadData, match=r"expected segments of comma2k19 .* Give the folder"):
        Comma2k19Reader(folder=tmp_path).keys()


@pytest.mark.parametrize(
    ("file", "values", "message"),
    [
        ("global_pose/frame_positions", None, "frame_positions: expected this array .* found none"),
        ("global_pose/frame_positions", np.zeros((399, 3)), "expected 400 rows of 3, .* got "),
        ("global_pose/frame_velocities", np.full((400, 3), np.nan), "finite .* with 1200 bad"),
        ("global_pose/frame_orientations", np.zeros((400, 4)), "must be finite and not zero"),
        ("global_pose/frame_times", np.empty(0), r"frame_times: .* got float64 \(0,\)"),
        ("processed_log/CAN/speed/value", np.zeros((1599, 1)), "speed/value: expected 1600 rows"),
        ("processed_log/CAN/speed/value", np.array(["a"]), "expected finite numbers, got <U1"),
        ("processed_log/CAN/steering_angle/t", None, "steering_angle/t: expected this array"),
    ],
)
def test_a_damaged_file_is_named(
    segment: Path, file: str, values: np.ndarray | None, message: str
) -> None:
    if values is None:
        (segment / file).unlink()
    else:
        save(segment / file, values)
    with pytest.raises(BadData, match=message):
        drive(segment)


def test_a_torn_file_is_named(segment: Path) -> None:
    path = segment / "global_pose/frame_times"
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(BadData, match="frame_times: expected an array in NumPy's format"):
        drive(segment)


def test_the_example_minute_agrees_with_its_can_bus(real_data: Callable[[str], Path]) -> None:
    root = real_data("comma2k19-example").parent
    source = open_data("comma2k19-example", str(root), "all")
    assert source.lengths().tolist() == [600]
    episode = source.episode(0)
    path, valid = episode.action["path"], episode.action_valid["path"]
    speed = np.asarray(episode.observation["speed"])[:, 0]
    assert 7.9 < speed.min() and speed.max() < 19.9, "m/s, as its README says"
    # CAN reads 0.9 % less than the poses move.
    moved = np.hypot(path[:, 0, 0], path[:, 0, 1]) * 10
    assert np.abs(moved - speed)[valid[:, 0]].max() < 0.5

    reader = Comma2k19Reader(folder=root / "comma2k19-example")
    (key,) = reader.keys()
    found = reader.drive(key)
    assert found.steering is not None and found.ego is not None
    wheel = np.interp(episode.times_ns, found.steering.times_ns, np.ravel(found.steering.values))
    second = valid[:, 9]
    turned = path[second, 9, 2]
    # Wheel to the left, heading to the left, in the second that follows.
    assert np.corrcoef(wheel[second], turned)[0, 1] > 0.65
    assert path[second, 9, 1] @ turned > 0

    # The car goes where it looks: sideways it moves less than 2 % of its way.
    whole = valid[:, 0]
    assert np.abs(path[whole, 0, 1] / path[whole, 0, 0]).max() < 0.02
    again = np.zeros(3)
    for step in path[whole, 0].astype(np.float64):
        again = motion.compose(again, step)
    start, end = (found.ego.positions[i] for i in (0, -1))
    gap = np.linalg.norm(end[:2] - start[:2])
    assert np.hypot(*again[:2]) == pytest.approx(gap, rel=2e-3)


def test_train_and_val_of_the_example_do_not_touch(real_data: Callable[[str], Path]) -> None:
    root = str(real_data("comma2k19-example").parent)
    train, val = (open_data("comma2k19-example", root, split) for split in ("train", "val"))
    assert (train.lengths().tolist(), val.lengths().tolist()) == ([416], [120])
    gap = val.episode(0).times_ns[0] - train.episode(0).times_ns[-1]
    assert gap == 6_500_000_000
    assert train.name == "comma2k19-example/train"


def test_controls_fitted_to_the_example_drive_its_way(real_data: Callable[[str], Path]) -> None:
    reader = Comma2k19Reader(folder=real_data("comma2k19-example"))
    (key,) = reader.keys()
    drive = reader.drive(key)
    assert drive.ego is not None
    times = drive.ego.times_ns
    stretch = Stretch(
        drive=key,
        key=key,
        start_ns=int(times[0]),
        steps=600,
        known_ns=(int(times[0]), int(times[-1])),
    )
    body = Embodiment(
        name="controlled_car",
        control_hz=10.0,
        observation={
            "speed": State(names=("speed",), units=("m/s",), low=(-20.0,), high=(80.0,)),
        },
        action={
            "controls": AccelerationCurvature(steps=64, hz=10.0),
            "path": Waypoints(steps=64, hz=10.0),
        },
        safe_stop=SafeStop(kind="brake"),
    )
    join = Join(drive=drive, body=body, stretch=stretch, tolerance=0.06, longest_gap=0.5)
    episode = join.episode("made")
    action, valid = episode.action, episode.action_valid
    whole = valid["controls"].all(axis=1) & (np.arange(600) >= 15)
    assert whole.sum() > 500 and not (valid["controls"] & ~valid["path"]).any()
    history = np.asarray(join.relative_poses(np.arange(-15, 1) / 10)[0])[whole]
    controls = action["controls"][whole]
    again, _ = motion.roll_out(
        motion.fit_speed(history, 0.1), controls[..., 0], controls[..., 1], 0.1
    )
    away = motion.average_displacement(again, action["path"][whole], 10.0, 6.4)
    assert away.mean() < 0.06 and away.max() < 0.15
