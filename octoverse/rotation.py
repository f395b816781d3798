"""Rotations in space, and places on the earth.

A rotation is a matrix (..., 3, 3) that brings vectors of one frame into another; which, its name
or its docstring says. Quaternions come in two orders, so every function names its own.

Source: WGS 84 for the earth; Bowring, "Transformation from spatial to geographical coordinates"
(Survey Review, 1976).
"""

import numpy as np

EQUATOR, FLATTENING = 6378137.0, 1 / 298.257223563
"""WGS 84: radius at the equator [m], and how much shorter it is at the poles."""


def from_quaternion_wxyz(quaternion: np.ndarray) -> np.ndarray:
    """Rotation matrices (..., 3, 3) of Hamilton quaternions (..., 4): w, x, y, z.

    Raises:
        ValueError: if one is zero or not finite; other lengths than 1 are brought to 1.
    """
    quaternion = np.asarray(quaternion, np.float64)
    length = np.linalg.norm(quaternion, axis=-1, keepdims=True)
    if not (np.isfinite(length) & (length > 1e-6)).all():
        raise ValueError("a quaternion must be finite and not zero.")
    w, x, y, z = np.moveaxis(quaternion / length, -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def from_quaternion_xyzw(quaternion: np.ndarray) -> np.ndarray:
    """Rotation matrices (..., 3, 3) of Hamilton quaternions (..., 4): x, y, z, w."""
    return from_quaternion_wxyz(np.roll(quaternion, 1, axis=-1))


def to_quaternion_wxyz(rotation: np.ndarray) -> np.ndarray:
    """Quaternions (..., 4) of rotation matrices (..., 3, 3), w, x, y, z, with w at least 0."""
    rotation = np.asarray(rotation, np.float64)
    diagonal = np.moveaxis(np.diagonal(rotation, axis1=-2, axis2=-1), -1, 0)
    xx, yy, zz = diagonal
    # Four times the products of the quaternion's numbers: its column of the largest square is
    # the quaternion itself but for its length, whatever the rotation.
    products = np.empty((*rotation.shape[:-2], 4, 4))
    squares = [1 + xx + yy + zz, 1 + xx - yy - zz, 1 - xx + yy - zz, 1 - xx - yy + zz]
    for i, square in enumerate(squares):
        products[..., i, i] = square
    for i, j, k in ((1, 2, 3), (2, 3, 1), (3, 1, 2)):
        real = rotation[..., k - 1, j - 1] - rotation[..., j - 1, k - 1]
        mixed = rotation[..., k - 1, j - 1] + rotation[..., j - 1, k - 1]
        products[..., 0, i] = products[..., i, 0] = real
        products[..., j, k] = products[..., k, j] = mixed
    best = np.argmax(np.stack(squares, axis=-1), axis=-1)[..., None, None]
    found = np.take_along_axis(products, best, axis=-1)[..., 0]
    found /= np.linalg.norm(found, axis=-1, keepdims=True)
    return np.where(found[..., :1] < 0, -found, found)


def from_roll_pitch_yaw(roll: np.ndarray, pitch: np.ndarray, yaw: np.ndarray) -> np.ndarray:
    """Turn about x, then about the fixed y, then about the fixed z: Rz(yaw) Ry(pitch) Rx(roll).

    Args:
        roll: Angles (...) [rad].
        pitch: The same shape.
        yaw: The same shape.

    Returns:
        Rotations (..., 3, 3) from the turned frame to the fixed one.
    """
    roll, pitch, yaw = np.broadcast_arrays(*map(np.asarray, (roll, pitch, yaw)))
    cr, cp, cy = np.cos(roll), np.cos(pitch), np.cos(yaw)
    sr, sp, sy = np.sin(roll), np.sin(pitch), np.sin(yaw)
    rows = [
        [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
        [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
        [-sp, cp * sr, cp * cr],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def to_roll_pitch_yaw(rotation: np.ndarray) -> np.ndarray:
    """Angles (..., 3) [rad] of rotations (..., 3, 3): what `from_roll_pitch_yaw` makes them of.

    Roll and yaw lie from -pi to pi, pitch from -pi/2 to pi/2. At a pitch of a quarter turn only
    roll and yaw together are known; then they are split as the arithmetic has it.
    """
    rotation = np.asarray(rotation, np.float64)
    roll = np.arctan2(rotation[..., 2, 1], rotation[..., 2, 2])
    pitch = np.arcsin(np.clip(-rotation[..., 2, 0], -1.0, 1.0))
    yaw = np.arctan2(rotation[..., 1, 0], rotation[..., 0, 0])
    return np.stack([roll, pitch, yaw], axis=-1)


def from_rotation_vector(vector: np.ndarray) -> np.ndarray:
    """Rotations (..., 3, 3) about axes (..., 3) by their length [rad]: axis-angle as one vector."""
    vector = np.asarray(vector, np.float64)
    half = np.linalg.norm(vector, axis=-1, keepdims=True) / 2
    # sin(half) / (2 half), which is a half for no turn at all.
    share = np.sinc(half / np.pi) / 2
    return from_quaternion_wxyz(np.concatenate([np.cos(half), share * vector], axis=-1))


def heading_of(rotation: np.ndarray) -> np.ndarray:
    """Where x points, about z [rad], (...), of rotations (..., 3, 3) to a frame with z up."""
    return np.arctan2(rotation[..., 1, 0], rotation[..., 0, 0])


def between(first: np.ndarray, second: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Rotations on the shortest arc from one to another, at constant turning.

    Args:
        first: Rotations (..., 3, 3), at share 0.
        second: The same, at share 1.
        share: (...).

    Returns:
        Rotations (..., 3, 3).
    """
    first, share = np.asarray(first, np.float64), np.asarray(share)[..., None]
    turn = to_quaternion_wxyz(np.swapaxes(first, -1, -2) @ second)
    size = np.linalg.norm(turn[..., 1:], axis=-1, keepdims=True)
    half = np.arctan2(size, turn[..., :1]) * share
    axis = turn[..., 1:] / np.maximum(size, 1e-300)
    return first @ from_quaternion_wxyz(
        np.concatenate([np.cos(half), np.sin(half) * axis], axis=-1)
    )


def rigid(rotation: np.ndarray, translation: np.ndarray) -> np.ndarray:
    """Rotations (..., 3, 3) and then translations (..., 3), as matrices (..., 4, 4)."""
    rotation = np.asarray(rotation, np.float64)
    found = np.zeros((*rotation.shape[:-2], 4, 4))
    found[..., :3, :3], found[..., :3, 3], found[..., 3, 3] = rotation, translation, 1.0
    return found


def geodetic_to_ecef(latitude: np.ndarray, longitude: np.ndarray, height: np.ndarray) -> np.ndarray:
    """Places in the earth-centred, earth-fixed frame.

    Args:
        latitude: Angles (...) [rad].
        longitude: The same shape [rad].
        height: Above the ellipsoid, the same shape [m].

    Returns:
        Positions (..., 3) [m].
    """
    sin, cos = np.sin(latitude), np.cos(latitude)
    squared = FLATTENING * (2 - FLATTENING)
    normal = EQUATOR / np.sqrt(1 - squared * sin**2)
    flat = (normal + height) * cos
    up = (normal * (1 - squared) + height) * sin
    return np.stack([flat * np.cos(longitude), flat * np.sin(longitude), up], axis=-1)


def ecef_to_geodetic(position: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Latitudes and longitudes [rad] and heights [m], each (...), of positions (..., 3) [m]."""
    x, y, z = np.moveaxis(np.asarray(position, np.float64), -1, 0)
    flat, pole = np.hypot(x, y), EQUATOR * (1 - FLATTENING)
    squared, second = FLATTENING * (2 - FLATTENING), (EQUATOR / pole) ** 2 - 1
    latitude = np.arctan2(z, flat * (1 - squared))
    for _ in range(3):
        reduced = np.arctan2((1 - FLATTENING) * np.sin(latitude), np.cos(latitude))
        latitude = np.arctan2(
            z + second * pole * np.sin(reduced) ** 3,
            flat - squared * EQUATOR * np.cos(reduced) ** 3,
        )
    sin, cos = np.sin(latitude), np.cos(latitude)
    # Exact on the ellipsoid's normal, at the equator and at the poles alike.
    height = flat * cos + z * sin - EQUATOR * np.sqrt(1 - squared * sin**2)
    return latitude, np.arctan2(y, x), height


def east_north_up(latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    """Rotations (..., 3, 3) from east, north, up at a place [rad] to the earth-centred frame."""
    latitude, longitude = np.broadcast_arrays(np.asarray(latitude), np.asarray(longitude))
    sin, cos = np.sin(latitude), np.cos(latitude)
    east = [-np.sin(longitude), np.cos(longitude), np.zeros_like(sin)]
    north = [-sin * np.cos(longitude), -sin * np.sin(longitude), cos]
    up = [cos * np.cos(longitude), cos * np.sin(longitude), sin]
    return np.stack([np.stack(axis, axis=-1) for axis in (east, north, up)], axis=-1)
