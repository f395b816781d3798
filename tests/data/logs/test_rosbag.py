import os
import pickle
import shutil
import tracemalloc
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import simplejpeg
from mcap_ros2.writer import Writer as McapWriter
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from octoverse.data.logs import ros_bag
from octoverse.data.logs.ros_topics import Number, Topics
from octoverse.data.logs.rosbag import RosbagReader
from octoverse.errors import BadConfig, BadData, UnknownName
from octoverse.preprocess import decode
from octoverse.rotation import heading_of

START = 1_700_000_000_000_000_000
DELAY = 40_000_000
"""From a message's stamp to its recording [ns]."""
TYPES = get_typestore(Stores.ROS2_HUMBLE)
TYPES.register(
    get_types_from_msg("std_msgs/Header header\nfloat32 wheel_degrees\n", "my_car_msgs/msg/Column")
)
TOPICS = Topics(
    cameras={"front": "/front/image", "cross_left": "/left/image/compressed"},
    camera_infos={"front": "/front/camera_info"},
    pose="/odom",
    twist="/twist",
    steering=Number(topic="/column", field="wheel_degrees", scale=-np.pi / 180),
    command="/command",
    instruction="/instruction",
)
Sent = tuple[str, str, int, dict[str, Any]]
"""Topic, type, stamp [ns] and fields."""


def made(kind: str, **fields: Any) -> Any:
    package, _, name = kind.partition("/")
    return TYPES.types[f"{package}/msg/{name}"](**fields)


def header(stamp: int, frame: str = "") -> Any:
    time = made("builtin_interfaces/Time", sec=stamp // 10**9, nanosec=stamp % 10**9)
    return made("std_msgs/Header", stamp=time, frame_id=frame)


def vector(x: float = 0.0, y: float = 0.0, z: float = 0.0) -> Any:
    return made("geometry_msgs/Vector3", x=x, y=y, z=z)


def turn(x: float, y: float, z: float, w: float) -> Any:
    return made("geometry_msgs/Quaternion", x=x, y=y, z=z, w=w)


def pose(x: float, y: float, yaw: float) -> Any:
    place = made("geometry_msgs/Point", x=x, y=y, z=0.0)
    return made(
        "geometry_msgs/Pose",
        position=place,
        orientation=turn(0.0, 0.0, np.sin(yaw / 2), np.cos(yaw / 2)),
    )


def odometry(stamp: int, x: float, y: float, yaw: float, child: str = "base_link") -> Any:
    zero = np.zeros(36)
    twist = made("geometry_msgs/Twist", linear=vector(5.0), angular=vector())
    return made(
        "nav_msgs/Odometry",
        header=header(stamp, "odom"),
        child_frame_id=child,
        pose=made("geometry_msgs/PoseWithCovariance", pose=pose(x, y, yaw), covariance=zero),
        twist=made("geometry_msgs/TwistWithCovariance", twist=twist, covariance=zero),
    )


def image(stamp: int, encoding: str, pixels: np.ndarray, step: int = 0) -> Any:
    rows = pixels.reshape(len(pixels), -1)
    padded = np.zeros((len(rows), step or rows.shape[1]), np.uint8)
    padded[:, : rows.shape[1]] = rows
    return made(
        "sensor_msgs/Image",
        header=header(stamp, "front_optical"),
        height=pixels.shape[0],
        width=pixels.shape[1],
        encoding=encoding,
        is_bigendian=0,
        step=padded.shape[1],
        data=padded.ravel(),
    )


def jpeg(stamp: int, value: int) -> Any:
    found = simplejpeg.encode_jpeg(np.full((8, 8, 3), value, np.uint8))
    return made(
        "sensor_msgs/CompressedImage",
        header=header(stamp, "left_optical"),
        format="rgb8; jpeg compressed bgr8",
        data=np.frombuffer(found, np.uint8),
    )


def camera_info(stamp: int) -> Any:
    region = made(
        "sensor_msgs/RegionOfInterest", x_offset=0, y_offset=0, height=0, width=0, do_rectify=False
    )
    return made(
        "sensor_msgs/CameraInfo",
        header=header(stamp, "front_optical"),
        height=6,
        width=8,
        distortion_model="plumb_bob",
        d=np.zeros(5),
        k=np.array([100.0, 0, 4, 0, 101, 3, 0, 0, 1]),
        r=np.eye(3).ravel(),
        p=np.zeros(12),
        binning_x=0,
        binning_y=0,
        roi=region,
    )


def static(parent: str, child: str, place: Any, rotation: Any) -> Any:
    moved = made("geometry_msgs/Transform", translation=place, rotation=rotation)
    one = made(
        "geometry_msgs/TransformStamped",
        header=header(START, parent),
        child_frame_id=child,
        transform=moved,
    )
    return made("tf2_msgs/TFMessage", transforms=[one])


LEVEL = turn(0.0, 0.0, 0.0, 1.0)
CAMERA = turn(-0.5, 0.5, -0.5, 0.5)
"""Brings a camera's z to x, and its y down."""


def drive() -> list[tuple[str, int, Any]]:
    """A turn to the left with 5 m/s on 20 m, and all that is declared above."""
    found: list[tuple[str, int, Any]] = [
        ("/tf_static", START, static("mount", "front_optical", vector(), CAMERA)),
        ("/tf_static", START, static("base_link", "mount", vector(1.5, 0.2, 1.2), LEVEL)),
        ("/instruction", START, made("std_msgs/String", data="turn left")),
        ("/command", START, made("std_msgs/String", data="left")),
    ]
    for i in range(21):
        stamp, angle = START + i * 100_000_000, 0.025 * i
        shown = np.full((6, 8, 3), (i, 100, 200), np.uint8)
        twist = made("geometry_msgs/Twist", linear=vector(5.0), angular=vector(0.0, 0.0, 0.25))
        column = made("my_car_msgs/Column", header=header(stamp), wheel_degrees=-45.0)
        speed = made("geometry_msgs/TwistStamped", header=header(stamp), twist=twist)
        found += [
            ("/front/image", stamp, image(stamp, "rgb8", shown)),
            ("/front/camera_info", stamp, camera_info(stamp)),
            ("/left/image/compressed", stamp, jpeg(stamp, 10 * i)),
            ("/odom", stamp, odometry(stamp, 20 * np.sin(angle), 20 - 20 * np.cos(angle), angle)),
            ("/twist", stamp, speed),
            ("/column", stamp, column),
        ]
    return found


def write(
    path: Path,
    messages: Sequence[tuple[str, int, Any]],
    storage: StoragePlugin = StoragePlugin.MCAP,
    version: Any = 9,
    compression: CompressionMode | None = None,
) -> Path:
    writer = Writer(path, version=version, storage_plugin=storage)
    if compression is not None:
        writer.set_compression(compression, CompressionFormat.ZSTD)
    with writer:
        connections = {}
        for topic, stamp, message in messages:
            if topic not in connections:
                kind = message.__msgtype__
                connections[topic] = writer.add_connection(topic, kind, typestore=TYPES)
            raw = TYPES.serialize_cdr(message, message.__msgtype__)
            writer.write(connections[topic], stamp + DELAY, raw)
    return path


def changed(topic: str, message: Any) -> list[tuple[str, int, Any]]:
    """The drive, with every message of one topic replaced."""
    return [(t, s, message if t == topic else m) for t, s, m in drive()]


@pytest.fixture(scope="module")
def bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("bags") / "turn", drive())


@pytest.mark.parametrize(
    ("storage", "version", "compression"),
    [
        (StoragePlugin.SQLITE3, 8, None),
        (StoragePlugin.SQLITE3, 9, CompressionMode.MESSAGE),
        (StoragePlugin.MCAP, 9, None),
        (StoragePlugin.MCAP, 9, CompressionMode.STORAGE),
    ],
)
def test_a_bag_of_either_storage_is_read(
    tmp_path: Path, storage: StoragePlugin, version: int, compression: CompressionMode | None
) -> None:
    write(tmp_path / "turn", drive(), storage, version, compression)
    reader = RosbagReader(path=tmp_path, topics=TOPICS)
    assert list(reader.keys()) == ["turn"]
    found = reader.drive("turn")
    front, left = found.cameras["front"], found.cameras["cross_left"]
    assert front.times_ns.tolist() == [START + i * 100_000_000 for i in range(21)]
    assert front.images[7].shape == (6, 8, 3) and front.images[7][0, 0].tolist() == [7, 100, 200]
    assert decode(left.images[7]).mean() == pytest.approx(70, abs=2)
    assert found.speed is not None and np.asarray(found.speed.values).tolist() == [[5.0]] * 21
    assert found.steering is not None and found.command is not None
    assert np.asarray(found.steering.values) == pytest.approx(np.pi / 4)  # right was positive
    assert (found.command.values, found.command.times_ns.tolist()) == (["left"], [START + DELAY])
    assert found.instruction is not None and found.instruction.values == ["turn left"]
    assert found.agents is None and found.pedals is None


def test_single_files_are_read(bag: Path, tmp_path: Path) -> None:
    shutil.copy(bag / "turn.mcap", tmp_path / "alone.mcap")
    reader = RosbagReader(path=tmp_path / "alone.mcap", topics=TOPICS)
    assert list(reader.keys()) == ["alone"]
    assert len(reader.drive("alone").cameras["front"].images) == 21
    write(tmp_path / "lite", drive(), StoragePlugin.SQLITE3)
    shutil.move(tmp_path / "lite/lite.db3", tmp_path / "lite.db3")
    shutil.rmtree(tmp_path / "lite")
    reader = RosbagReader(path=tmp_path, topics=TOPICS)
    assert list(reader.keys()) == ["alone", "lite"]
    assert reader.drive("lite").cameras["front"].images[7][0, 0].tolist() == [7, 100, 200]


def test_a_file_of_another_writer_is_read(tmp_path: Path) -> None:
    """The package mcap-ros2-support writes what we did not teach it."""
    with (tmp_path / "theirs.mcap").open("wb") as stream:
        writer = McapWriter(stream, chunk_size=200)
        schema = writer.register_msgdef(
            "my_msgs/msg/Wheel",
            "builtin_interfaces/Time stamp\nfloat64 angle\n"
            + "=" * 80
            + "\nMSG: builtin_interfaces/Time\nint32 sec\nuint32 nanosec\n",
        )
        for i in range(50):
            stamp = {"sec": 100, "nanosec": i * 10**7}
            told = {"stamp": stamp, "angle": 0.1 * i}
            writer.write_message("/wheel", schema, told, log_time=200 * 10**9 + i * 10**7)
        writer.finish()
    wheel = Topics(steering=Number(topic="/wheel", field="angle", scale=2.0))
    found = RosbagReader(path=tmp_path, topics=wheel).drive("theirs").steering
    assert found is not None
    assert np.asarray(found.values)[:, 0] == pytest.approx(0.2 * np.arange(50))
    assert found.times_ns[3] == 100 * 10**9 + 3 * 10**7
    by_log = RosbagReader(path=tmp_path, topics=replace(wheel, clock="log")).drive("theirs")
    assert by_log.steering is not None
    assert by_log.steering.times_ns[3] == 200 * 10**9 + 3 * 10**7


def test_the_car_moves_where_it_points(bag: Path) -> None:
    ego = RosbagReader(path=bag, topics=TOPICS).drive("turn").ego
    assert ego is not None
    moved = (ego.positions[2:] - ego.positions[:-2])[:, :2]
    heading = heading_of(ego.rotations)
    assert np.arctan2(moved[:, 1], moved[:, 0]) == pytest.approx(heading[1:-1])
    assert np.diff(heading) == pytest.approx(0.025)  # left
    assert ego.rotations[:, 2, 2] == pytest.approx(1.0)


def test_the_rear_axle_is_found_from_the_base_frame(bag: Path) -> None:
    topics = replace(TOPICS, rear_axle=(-1.4, 0.0, 0.1))
    drive = RosbagReader(path=bag, topics=topics).drive("turn")
    assert drive.ego is not None
    assert drive.ego.positions[0] == pytest.approx([-1.4, 0, 0.1])
    known = drive.cameras["front"].calibration
    assert known is not None
    assert np.array(known.extrinsics).reshape(4, 4)[:3, 3] == pytest.approx([2.9, 0.2, 1.1])


def test_cameras_look_where_their_frames_say(bag: Path) -> None:
    cameras = RosbagReader(path=bag, topics=TOPICS).drive("turn").cameras
    known = cameras["front"].calibration
    assert known is not None and cameras["cross_left"].calibration is None
    assert known.intrinsics == (100, 0, 4, 0, 101, 3, 0, 0, 1)
    frame = np.array(known.extrinsics).reshape(4, 4)
    assert frame[:3, 2] == pytest.approx([1, 0, 0])  # ahead
    assert frame[:3, 1] == pytest.approx([0, 0, -1])  # down
    assert frame[:3, 3] == pytest.approx([1.5, 0.2, 1.2])


def test_an_odometry_of_another_frame_is_brought_to_the_base(tmp_path: Path) -> None:
    messages = [m for m in drive() if m[0] != "/odom"]
    messages += [("/tf_static", START, static("base_link", "gps", vector(1, 0, 2), LEVEL))]
    messages += [("/odom", START + 5, odometry(START + 5, 7, 1, np.pi / 2, child="gps"))]
    write(tmp_path / "turn", sorted(messages, key=lambda m: m[1]))
    ego = RosbagReader(path=tmp_path, topics=TOPICS).drive("turn").ego
    assert ego is not None and ego.positions[0] == pytest.approx([7, 0, -2])

    messages = [m for m in messages if m[0] != "/tf_static"]
    write(tmp_path / "alone", sorted(messages, key=lambda m: m[1]))
    topics = replace(TOPICS, camera_infos={})
    with pytest.raises(BadData, match=r"join the frame 'base_link' to 'gps', got the frames none"):
        RosbagReader(path=tmp_path / "alone", topics=topics).drive("alone")


def test_poses_of_two_frames_are_refused(tmp_path: Path) -> None:
    poses = [("/odom", START + i, odometry(START + i, 0, 0, 0, child=f"/f{i}")) for i in (1, 2)]
    write(tmp_path / "two", poses)
    with pytest.raises(BadData, match=r"/odom: expected poses of one frame, got those of f1, f2"):
        RosbagReader(path=tmp_path, topics=Topics(pose="/odom")).drive("two")


def test_a_pose_is_that_of_the_base_frame(tmp_path: Path) -> None:
    stamped = [
        (
            "/pose",
            START + i,
            made("geometry_msgs/PoseStamped", header=header(START + i), pose=pose(i, 2, 0)),
        )
        for i in range(3)
    ]
    write(tmp_path / "pose", stamped)
    drive = RosbagReader(path=tmp_path, topics=Topics(pose="/pose")).drive("pose")
    assert drive.ego is not None and drive.ego.positions.tolist() == [
        [0, 2, 0],
        [1, 2, 0],
        [2, 2, 0],
    ]
    assert not drive.cameras and drive.speed is None


@pytest.mark.parametrize(("encoding", "channels"), [("bgr8", 3), ("mono8", 1), ("rgb8", 3)])
def test_images_become_rgb_whatever_their_rows(
    tmp_path: Path, encoding: str, channels: int
) -> None:
    pixels = np.arange(4 * 5 * channels, dtype=np.uint8).reshape(4, 5, channels)
    write(tmp_path / "bag", [("/image", START, image(START, encoding, pixels, step=20))])
    topics = Topics(cameras={"front": "/image"})
    got = RosbagReader(path=tmp_path, topics=topics).drive("bag").cameras["front"].images[0]
    expected = {"bgr8": pixels[..., ::-1], "mono8": np.repeat(pixels, 3, 2)}.get(encoding, pixels)
    assert np.array_equal(got, expected)


def test_images_recorded_at_one_time_are_told_apart(tmp_path: Path) -> None:
    messages = [
        ("/image", START, image(START + i, "mono8", np.full((2, 2, 1), i, np.uint8)))
        for i in range(3)
    ]
    write(tmp_path / "bag", messages)
    topics = Topics(cameras={"front": "/image"})
    images = RosbagReader(path=tmp_path, topics=topics).drive("bag").cameras["front"].images
    assert [int(images[i].max()) for i in (2, 0, 1)] == [2, 0, 1]


@pytest.mark.parametrize("storage", list(StoragePlugin))
def test_memory_holds_one_image_not_the_bag(tmp_path: Path, storage: StoragePlugin) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (200, 500, 3), np.uint8)
    messages = [("/image", START + i, image(START + i, "rgb8", noise)) for i in range(60)]
    write(tmp_path / "bag", messages, storage)  # 18 MB
    del messages
    reader = RosbagReader(path=tmp_path, topics=Topics(cameras={"front": "/image"}))
    tracemalloc.start()
    images = reader.drive("bag").cameras["front"].images
    for i in (50, 3, 59):
        assert np.array_equal(images[i], noise)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 9_000_000


def test_readers_and_their_drives_travel_to_other_processes(bag: Path) -> None:
    reader = RosbagReader(path=bag, topics=TOPICS)
    reader.drive("turn").cameras["front"].images[0]
    again: RosbagReader = pickle.loads(pickle.dumps(reader))
    assert again.drive("turn").cameras["front"].images[3][0, 0, 0] == 3


def test_the_fingerprint_changes_with_bag_and_declaration(bag: Path, tmp_path: Path) -> None:
    before = RosbagReader(path=bag, topics=TOPICS).fingerprint()
    assert before == RosbagReader(path=bag, topics=TOPICS).fingerprint()
    assert before != RosbagReader(path=bag, topics=replace(TOPICS, clock="log")).fingerprint()
    shutil.copytree(bag, tmp_path / "turn")
    assert before == RosbagReader(path=tmp_path / "turn", topics=TOPICS).fingerprint()
    content = bytearray((tmp_path / "turn/turn.mcap").read_bytes())
    content[999] ^= 1
    (tmp_path / "turn/turn.mcap").write_bytes(content)
    assert before != RosbagReader(path=tmp_path / "turn", topics=TOPICS).fingerprint()


def test_a_topic_that_is_not_there_is_told_from_those_that_are(bag: Path) -> None:
    topics = replace(TOPICS, twist="/twits")
    with pytest.raises(UnknownName, match=r"'/twits'\. Did you mean '/twist'\? Known: /column"):
        RosbagReader(path=bag, topics=topics).drive("turn")


@pytest.mark.parametrize(
    ("topics", "words"),
    [
        (
            {"twist": "/front/image"},
            r"/front/image: expected nav_msgs.* for the twist, got sensor",
        ),
        ({"pose": "/twist"}, r"/twist: expected nav_msgs/msg/Odometry or geometry_msgs/msg/PoseSt"),
        ({"cameras": {"front": "/odom"}}, r"/odom: expected sensor_msgs/msg/Image or sensor_msgs/"),
        ({"command": "/instruction"}, r"/instruction: expected left, straight, right, unknown, go"),
        (
            {"steering": Number(topic="/column", field="wheel.angle")},
            r"a number in the field 'wheel\.angle' of my_car_msgs/msg/Column: .*header, wheel_",
        ),
        ({"steering": Number(topic="/column", field="header")}, r"a number in the field 'header'"),
        (
            {"base_frame": "car"},
            r"join the frame 'front_optical' to 'car', got the frames base",
        ),
    ],
)
def test_a_wrong_declaration_is_refused(bag: Path, topics: dict[str, Any], words: str) -> None:
    with pytest.raises(BadData, match=words):
        RosbagReader(path=bag, topics=replace(TOPICS, **topics)).drive("turn")


def test_calibration_of_a_camera_that_is_not_declared_is_refused() -> None:
    with pytest.raises(BadConfig, match=r"roles that are in cameras \(front\), got left"):
        Topics(cameras={"front": "/a"}, camera_infos={"left": "/b"})


@pytest.mark.parametrize(
    ("topic", "message", "words"),
    [
        (
            "/odom",
            odometry(START, np.nan, 0, 0),
            r"/odom: expected a finite pose, got position",
        ),
        ("/odom", odometry(START, 0, 0, 0), r"/odom: expected header\.stamp to increase, got"),
        (
            "/twist",
            made(
                "geometry_msgs/TwistStamped",
                header=header(0),
                twist=made("geometry_msgs/Twist", linear=vector(), angular=vector()),
            ),
            r"/twist: expected times in the headers, got 0\. Declare clock='log'",
        ),
        (
            "/front/image",
            image(START, "16UC1", np.zeros((2, 2, 2), np.uint8)),
            r"/front/image: expected an image in rgb8, bgr8, mono8, got '16UC1'",
        ),
        (
            "/front/image",
            replace(image(START, "rgb8", np.zeros((2, 2, 3), np.uint8)), height=3),
            r"/front/image: expected 3 rows of at least 6 bytes, got 12 bytes in rows of 6",
        ),
        (
            "/left/image/compressed",
            replace(jpeg(START, 0), data=np.zeros(9, np.uint8)),
            r"expected a JPEG or PNG, got format 'rgb8; jpeg .* start with b'.x00",
        ),
    ],
)
def test_bad_messages_are_named(tmp_path: Path, topic: str, message: Any, words: str) -> None:
    write(tmp_path / "bag", changed(topic, message))
    with pytest.raises(BadData, match=words):
        RosbagReader(path=tmp_path, topics=TOPICS).drive("bag")


def test_speeds_that_are_not_finite_and_unknown_calibration(tmp_path: Path) -> None:
    fast = made("geometry_msgs/Twist", linear=vector(np.inf), angular=vector())
    stamped = made("geometry_msgs/TwistStamped", header=header(START), twist=fast)
    write(tmp_path / "bag", [("/twist", START, stamped)])
    with pytest.raises(BadData, match=r"/twist: expected finite numbers in twist, got \[inf\]"):
        RosbagReader(path=tmp_path, topics=Topics(twist="/twist")).drive("bag")
    unknown = replace(camera_info(START), k=np.zeros(9))
    write(tmp_path / "camera", changed("/front/camera_info", unknown))
    found = RosbagReader(path=tmp_path / "camera", topics=TOPICS).drive("camera")
    assert found.cameras["front"].calibration is None


def test_a_topic_without_messages_is_named(tmp_path: Path) -> None:
    with Writer(tmp_path / "bag", version=9) as writer:
        writer.add_connection("/twist", "geometry_msgs/msg/TwistStamped", typestore=TYPES)
    with pytest.raises(BadData, match="/twist: expected messages, found none"):
        RosbagReader(path=tmp_path, topics=Topics(twist="/twist")).drive("bag")


@pytest.mark.parametrize("storage", list(StoragePlugin))
@pytest.mark.parametrize("share", [0.0, 0.1, 0.6, 0.99])
def test_a_bag_cut_short_is_never_read_in_part(
    tmp_path: Path, storage: StoragePlugin, share: float
) -> None:
    write(tmp_path / "bag", drive(), storage)
    file = next(path for path in (tmp_path / "bag").iterdir() if path.suffix != ".yaml")
    content = file.read_bytes()
    file.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(BadData, match=r"bag: expected a ROS 2 bag that can be read, got \w+: "):
        RosbagReader(path=tmp_path, topics=TOPICS).drive("bag")


def test_a_bag_that_changes_under_way_is_named(tmp_path: Path) -> None:
    write(tmp_path / "bag", drive())
    images = RosbagReader(path=tmp_path, topics=TOPICS).drive("bag").cameras["front"].images
    again = pickle.loads(pickle.dumps(images))
    shutil.rmtree(tmp_path / "bag")
    with pytest.raises(BadData, match="bag: expected a ROS 2 bag, found nothing"):
        again[0]
    write(tmp_path / "bag", [m for m in drive() if m[1] < START + 500_000_000])
    with pytest.raises(BadData, match=r"expected a message of /front/image at \d+ ns, found none"):
        pickle.loads(pickle.dumps(images))[9]


def test_another_process_opens_the_bag_itself(bag: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = RosbagReader(path=bag, topics=TOPICS).drive("turn").cameras["front"].images
    before = ros_bag._opened.cache_info().misses
    assert images[0][0, 0, 0] == 0 and ros_bag._opened.cache_info().misses == before
    monkeypatch.setattr(os, "getpid", lambda: 1)
    assert images[1][0, 0, 0] == 1 and ros_bag._opened.cache_info().misses == before + 1


def test_other_folders_and_names_are_refused(bag: Path, tmp_path: Path) -> None:
    with pytest.raises(BadData, match=r"expected a ROS 2 bag \(a folder with metadata\.yaml, a "):
        RosbagReader(path=tmp_path, topics=TOPICS).keys()
    with pytest.raises(UnknownName, match=r"No bag in .* named 'tern'\. Did you mean 'turn'\?"):
        RosbagReader(path=bag, topics=TOPICS).drive("tern")
