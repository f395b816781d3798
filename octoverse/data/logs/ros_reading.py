"""From the messages of one ROS 2 bag to a drive, in one pass."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial, reduce
from typing import Any

import numpy as np

from octoverse.data.logs.drive import CameraLog, Drive, EgoMotion, Signal
from octoverse.data.logs.ros_bag import Message, Place, RosBag
from octoverse.data.logs.ros_messages import (
    CAMERA_INFO,
    COMPRESSED,
    IMAGE,
    ODOMETRY,
    POSE,
    TEXT,
    TRANSFORMS,
    TWIST,
    frame_in,
    image_of,
    intrinsics_of,
    stamp_of,
    transform_of,
)
from octoverse.data.logs.ros_topics import Topics
from octoverse.data.logs.rows import check_finite, check_increasing
from octoverse.data.source import Images
from octoverse.episode import Calibration
from octoverse.errors import BadData

STATIC = "/tf_static"
COMMANDS = ("left", "straight", "right", "unknown")


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """Reads one image of a topic at its place."""

    bag: RosBag
    topic: str
    places: tuple[Place, ...]

    def __call__(self, index: int) -> bytes | np.ndarray:
        """The image, as bytes of a JPEG or PNG or as uint8 (h, w, 3) RGB."""
        raw = self.bag.read(self.topic, self.places[index])
        return image_of(f"{self.bag.path}, {self.topic}", self.bag.decode(self.topic, raw))


@dataclass(kw_only=True)
class _Series:
    """What one purpose has taken of its topic."""

    topic: str
    take: Callable[[Message], Any]
    """From a message to what is kept of it."""
    stamped: bool
    """Whether its messages say their time themselves."""
    first_only: bool = False
    times: list[int] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)


class BagReading:
    """Reads one bag by a declaration."""

    def __init__(self, bag: RosBag, topics: Topics) -> None:
        self._bag, self._topics = bag, topics
        self._frames: dict[str, tuple[str, np.ndarray]] = {}
        self._series: dict[str, _Series] = {}
        self._declare()

    def drive(self, key: str) -> Drive:
        """Go through the bag once.

        Raises:
            UnknownName: if it lacks a topic that is declared.
            BadData: if it is damaged, or a topic is not what it is declared to be.
        """
        by_topic: dict[str, list[_Series]] = {}
        for series in self._series.values():
            by_topic.setdefault(series.topic, []).append(series)
        for message in self._bag.messages(list(by_topic)):
            for series in by_topic[message.topic]:
                if not (series.first_only and series.values):
                    series.values.append(series.take(message))
                    series.times.append(0 if series.first_only else self._time(series, message))
        for purpose, series in self._series.items():
            where = self._where(series.topic)
            if not series.values and purpose != STATIC:
                raise BadData(
                    f"{where}: expected messages, found none. Take the topic out of the "
                    "declaration of this bag."
                )
            if not series.first_only and purpose != STATIC:
                clock = "header.stamp" if self._topics.clock == "header" else "the log's time"
                check_increasing(where, clock, np.array(series.times, np.int64))
        return Drive(
            key=key,
            cameras={role: self._camera(role) for role in self._topics.cameras},
            ego=self._ego(),
            speed=self._numbers("twist"),
            steering=self._numbers("steering"),
            command=self._texts("command"),
            instruction=self._texts("instruction"),
        )

    def _declare(self) -> None:
        told = self._topics
        for role, topic in told.cameras.items():
            self._add(f"camera {role}", topic, (IMAGE, COMPRESSED), partial(self._image, role))
        for role, topic in told.camera_infos.items():
            self._add(f"info {role}", topic, (CAMERA_INFO,), self._decoded, first_only=True)
        if told.pose:
            self._add("pose", told.pose, (ODOMETRY, POSE), self._pose)
        if told.twist:
            self._add("twist", told.twist, (ODOMETRY, TWIST), self._speed)
        if told.steering:
            self._add("steering", told.steering.topic, (), self._steering)
        if told.command:
            self._add("command", told.command, (TEXT,), self._command)
        if told.instruction:
            self._add("instruction", told.instruction, (TEXT,), lambda m: self._decoded(m).data)
        if STATIC in self._bag.topics and (told.camera_infos or told.pose):
            self._add(STATIC, STATIC, (TRANSFORMS,), self._transforms)

    def _add(
        self,
        purpose: str,
        topic: str,
        kinds: tuple[str, ...],
        take: Callable[[Message], Any],
        first_only: bool = False,
    ) -> None:
        found = self._bag.type_of(topic)
        if kinds and found not in kinds:
            raise BadData(
                f"{self._where(topic)}: expected {' or '.join(kinds)} for the {purpose}, got "
                f"{found}. Declare another topic."
            )
        self._series[purpose] = _Series(
            topic=topic,
            take=take,
            stamped=self._bag.has_stamp(topic),
            first_only=first_only,
        )

    def _where(self, topic: str) -> str:
        return f"{self._bag.path}, {topic}"

    def _decoded(self, message: Message) -> Any:
        return self._bag.decode(message.topic, message.raw)

    def _time(self, series: _Series, message: Message) -> int:
        if self._topics.clock == "log" or not series.stamped:
            return message.place.log_ns
        found = stamp_of(message.raw)
        if found == 0:
            raise BadData(
                f"{self._where(message.topic)}: expected times in the headers, got 0. Declare "
                "clock='log' to take the times of recording."
            )
        return found

    def _image(self, role: str, message: Message) -> Place:
        if not self._series[f"camera {role}"].values:
            # What cannot be read is better known now than in the middle of training.
            image_of(self._where(message.topic), self._decoded(message))
        return message.place

    def _pose(self, message: Message) -> tuple[str, np.ndarray]:
        decoded = self._decoded(message)
        pose = decoded.pose
        frame = self._topics.base_frame
        if decoded.__msgtype__ == ODOMETRY:
            pose, frame = pose.pose, _plain(decoded.child_frame_id) or frame
        return frame, transform_of(self._where(message.topic), pose.position, pose.orientation)

    def _speed(self, message: Message) -> float:
        decoded = self._decoded(message)
        twist = decoded.twist.twist if decoded.__msgtype__ == ODOMETRY else decoded.twist
        return float(twist.linear.x)

    def _steering(self, message: Message) -> float:
        told = self._topics.steering
        assert told is not None
        decoded = self._decoded(message)
        try:
            return float(reduce(getattr, told.field.split("."), decoded)) * told.scale
        except (AttributeError, TypeError) as error:
            raise BadData(
                f"{self._where(told.topic)}: expected a number in the field '{told.field}' of "
                f"{decoded.__msgtype__}: {error}. Its fields: "
                f"{', '.join(n for n in decoded.__dataclass_fields__ if n[0] != '_')}."
            ) from error

    def _command(self, message: Message) -> str:
        found = str(self._decoded(message).data)
        if found not in COMMANDS:
            raise BadData(
                f"{self._where(message.topic)}: expected {', '.join(COMMANDS)}, got {found!r}."
            )
        return found

    def _transforms(self, message: Message) -> None:
        for one in self._decoded(message).transforms:
            moved = one.transform
            matrix = transform_of(self._where(STATIC), moved.translation, moved.rotation)
            self._frames[_plain(one.child_frame_id)] = (_plain(one.header.frame_id), matrix)

    def _camera(self, role: str) -> CameraLog:
        series = self._series[f"camera {role}"]
        pictures = Pictures(bag=self._bag, topic=series.topic, places=tuple(series.values))
        return CameraLog(
            times_ns=np.array(series.times, np.int64),
            images=Images(len(series.values), pictures),
            calibration=self._calibration(role) if role in self._topics.camera_infos else None,
        )

    def _calibration(self, role: str) -> Calibration | None:
        info = self._series[f"info {role}"].values[0]
        intrinsics = intrinsics_of(info)
        if intrinsics is None:
            return None
        where, base = str(self._bag.path), self._topics.base_frame
        placed = frame_in(where, self._frames, base, _plain(info.header.frame_id)).copy()
        placed[:3, 3] -= self._topics.rear_axle
        return Calibration(intrinsics=intrinsics, extrinsics=tuple(map(float, placed.ravel())))

    def _ego(self) -> EgoMotion | None:
        if "pose" not in self._series:
            return None
        series = self._series["pose"]
        base = np.eye(4)
        base[:3, 3] = self._topics.rear_axle
        frames = list(dict.fromkeys(frame for frame, _ in series.values))
        if len(frames) > 1:
            raise BadData(
                f"{self._where(series.topic)}: expected poses of one frame, got those of "
                f"{', '.join(frames)}. Declare a topic that one node publishes."
            )
        where, told = str(self._bag.path), self._topics
        base = frame_in(where, self._frames, frames[0], told.base_frame) @ base
        poses = np.stack([matrix for _, matrix in series.values]) @ base
        return EgoMotion(
            times_ns=np.array(series.times, np.int64),
            positions=poses[:, :3, 3],
            rotations=poses[:, :3, :3],
        )

    def _numbers(self, purpose: str) -> Signal | None:
        if purpose not in self._series:
            return None
        series = self._series[purpose]
        values = np.array(series.values, np.float64)[:, None]
        check_finite(self._where(series.topic), purpose, values)
        return Signal(times_ns=np.array(series.times, np.int64), values=values)

    def _texts(self, purpose: str) -> Signal | None:
        if purpose not in self._series:
            return None
        series = self._series[purpose]
        return Signal(times_ns=np.array(series.times, np.int64), values=series.values)


def _plain(frame: str) -> str:
    return frame.removeprefix("/")
