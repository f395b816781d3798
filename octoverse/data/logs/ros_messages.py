"""What the messages of ROS 2 mean: stamps, images, poses and frames.

Frames are those of REP 103: x forward, y left, z up for bodies, and x right, y down, z ahead for
cameras, whose names end in _optical_frame. Quaternions are x, y, z, w.

Source: common_interfaces (sensor_msgs, nav_msgs, geometry_msgs) and REP 103.
"""

import struct
from collections.abc import Mapping
from typing import Any

import numpy as np

from octoverse.errors import BadData
from octoverse.rotation import from_quaternion_xyzw, rigid

IMAGE, COMPRESSED = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
CAMERA_INFO = "sensor_msgs/msg/CameraInfo"
ODOMETRY, POSE = "nav_msgs/msg/Odometry", "geometry_msgs/msg/PoseStamped"
TWIST, TEXT = "geometry_msgs/msg/TwistStamped", "std_msgs/msg/String"
TRANSFORMS = "tf2_msgs/msg/TFMessage"
_CHANNELS = {"rgb8": [0, 1, 2], "bgr8": [2, 1, 0], "mono8": [0, 0, 0]}
_STARTS = (b"\xff\xd8\xff", b"\x89PNG")


def stamp_of(raw: bytes) -> int:
    """Time [ns] in the header that a stored message begins with."""
    seconds, nanoseconds = struct.unpack_from("<iI" if raw[1] & 1 else ">iI", raw, 4)
    return int(seconds) * 10**9 + int(nanoseconds)


def image_of(where: str, message: Any) -> bytes | np.ndarray:
    """An Image as uint8 (h, w, 3) RGB, or the bytes of a CompressedImage.

    Raises:
        BadData: if it is neither rgb8, bgr8, mono8, JPEG nor PNG, or cut short.
    """
    if message.__msgtype__ == COMPRESSED:
        found = bytes(message.data)
        if not found.startswith(_STARTS):
            raise BadData(
                f"{where}: expected a JPEG or PNG, got format '{message.format}' and bytes that "
                f"start with {found[:4]!r}. Republish it as compressed, not as depth or video."
            )
        return found
    if message.encoding not in _CHANNELS:
        raise BadData(
            f"{where}: expected an image in {', '.join(_CHANNELS)}, got '{message.encoding}'. "
            "Convert the topic (image_proc, image_transport republish), or leave it out."
        )
    channels = _CHANNELS[message.encoding]
    depth = max(channels) + 1
    rows = np.asarray(message.data, np.uint8)
    if message.step < message.width * depth or rows.size != message.step * message.height:
        raise BadData(
            f"{where}: expected {message.height} rows of at least {message.width * depth} bytes, "
            f"got {rows.size} bytes in rows of {message.step}. The image was cut short."
        )
    rows = rows.reshape(message.height, message.step)[:, : message.width * depth]
    pixels = rows.reshape(message.height, message.width, depth)
    return np.ascontiguousarray(pixels[..., channels])


def intrinsics_of(message: Any) -> tuple[float, ...] | None:
    """The matrix (9,) of a CameraInfo, row by row; None where it says that it knows none."""
    found = tuple(float(value) for value in message.k)
    return found if found[0] else None


def transform_of(where: str, place: Any, turn: Any) -> np.ndarray:
    """A 4 x 4 matrix from a position or translation and a quaternion.

    Raises:
        BadData: if they are not finite, or the quaternion is zero.
    """
    numbers = np.array([place.x, place.y, place.z], np.float64)
    try:
        if not np.isfinite(numbers).all():
            raise ValueError("a position must be finite.")
        return rigid(from_quaternion_xyzw(np.array([turn.x, turn.y, turn.z, turn.w])), numbers)
    except ValueError as error:
        raise BadData(
            f"{where}: expected a finite pose, got position {numbers} and quaternion {turn.x}, "
            f"{turn.y}, {turn.z}, {turn.w} (x, y, z, w): {error} Leave such messages out."
        ) from error


def frame_in(
    where: str, frames: Mapping[str, tuple[str, np.ndarray]], base: str, name: str
) -> np.ndarray:
    """Where a frame is, as a 4 x 4 matrix from it to another one.

    Args:
        where: Of which bag, for the message.
        frames: Frame to its parent and the matrix to that, from /tf_static.
        base: The other frame.
        name: The frame.

    Raises:
        BadData: if nothing static joins the two.
    """
    up, down = _to_root(frames, name), _to_root(frames, base)
    shared = next((frame for frame in up if frame in down), None)
    if shared is None:
        known = ", ".join(sorted({*frames, *(parent for parent, _ in frames.values())})) or "none"
        raise BadData(
            f"{where}: expected /tf_static to join the frame '{name}' to '{base}', got the frames "
            f"{known}. Declare another base_frame, or record /tf_static."
        )
    return np.linalg.inv(down[shared]) @ up[shared]


def _to_root(frames: Mapping[str, tuple[str, np.ndarray]], name: str) -> dict[str, np.ndarray]:
    """The frames above one, nearest first, with the matrix from it to each."""
    found = {name: np.eye(4)}
    while name in frames:
        parent, matrix = frames[name]
        if parent in found:
            break
        found[parent] = matrix @ found[name]
        name = parent
    return found
