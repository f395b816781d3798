"""Read comma2k19: a windscreen camera, its poses on the earth and the car's CAN bus, 1 min each.

The quaternions bring the camera's forward, right, down into the earth-centred frame (as
utils/camera.py of the repository uses them; its README says it the other way round). Two things
are not in the data and are assumed here:

- How the camera is turned in the car. It is found as openpilot finds it: on average the car's
  rear axle moves straight ahead, and the car stands level.
- Where the camera is. It looks through the windscreen, 1.5 m behind the radar in the bumper
  (RADAR_TO_CAMERA in openpilot's radard.py), which in a RAV4 is about 2.0 m ahead of the rear axle
  and 0.9 m above it. 30 cm more or less move a waypoint by 30 cm times the turn up to it.

Source: commaai/comma2k19, README.md and utils/camera.py; Schafer et al., "A Commute in Data"
(2018). Steering is positive to the left, as the poses' yaw rate shows.
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from octoverse import rotation
from octoverse.data.logs.drive import CameraLog, Drive, EgoMotion, Signal
from octoverse.data.logs.files import fingerprint_of
from octoverse.episode import Calibration
from octoverse.errors import BadData

CAMERA = (2.0, 0.0, 0.9)
"""Place of the camera in the rear-axle frame [m]: assumed, see above."""
INTRINSICS = (910.0, 0.0, 582.0, 0.0, 910.0, 437.0, 0.0, 0.0, 1.0)
"""Of the EON's camera, 1164 x 874 (utils/camera.py)."""
_NUMBERS = (
    *(f"global_pose/frame_{name}" for name in ("times", "positions", "velocities", "orientations")),
    *(
        f"processed_log/CAN/{name}/{part}"
        for name in ("speed", "steering_angle")
        for part in ("t", "value")
    ),
)
_MOVING, _ENOUGH = 5.0, 100
"""Speed [m/s] and number of frames that it takes to see where the camera looks."""
_FLIP = np.diag([1.0, -1.0, -1.0])
"""Between forward, right, down and forward, left, up."""
_FROM_VIEW = np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]])
"""From the picture's right, down, ahead to the camera's forward, right, down."""


@dataclass(frozen=True, kw_only=True)
class Comma2k19Reader:
    """Segments of comma2k19, keyed "route/segment"."""

    folder: Path
    """Holds routes named dongle|time (or dongle_time), at any depth."""

    def keys(self) -> list[str]:
        """Every segment, in order of routes and minutes."""
        return list(self._segments)

    def drive(self, key: str) -> Drive:
        """Read one segment.

        Raises:
            BadData: if a file is missing or is not an array.
        """
        folder = self._segments[key]
        times = _nanoseconds(_array(folder / "global_pose/frame_times"))
        positions, velocities, quaternions = (
            _rows(folder / f"global_pose/frame_{name}", len(times), width)
            for name, width in (("positions", 3), ("velocities", 3), ("orientations", 4))
        )
        try:
            cameras = rotation.from_quaternion_wxyz(quaternions)
        except ValueError as error:
            raise BadData(
                f"{folder / 'global_pose/frame_orientations'}: {error} Leave the segment out."
            ) from error
        latitude, longitude, _ = rotation.ecef_to_geodetic(positions[0])
        level = rotation.east_north_up(latitude, longitude).T
        cameras, velocities = level @ cameras @ _FLIP, velocities @ level.T
        mount = mounting(cameras, velocities, times)
        rotations = cameras @ mount.T
        places = (positions - positions[0]) @ level.T - rotations @ np.array(CAMERA)
        return Drive(
            key=key,
            ego=EgoMotion(times_ns=times, positions=places, rotations=rotations),
            speed=_signal(folder, "speed", 1.0),
            steering=_signal(folder, "steering_angle", np.pi / 180),
            cameras=self._cameras(folder, times, mount),
        )

    def fingerprint(self) -> str:
        """Hash of the numbers that are read, and of the sizes of the videos."""
        folders = self._segments.values()
        numbers = [folder / name for folder in folders for name in _NUMBERS]
        videos = [folder / "video.hevc" for folder in folders]
        told = (
            CAMERA,
            list(self._segments),
            fingerprint_of(Path(self.folder), (path for path in numbers if path.is_file())),
            [path.stat().st_size if path.exists() else 0 for path in videos],
        )
        return hashlib.sha256(repr(told).encode()).hexdigest()[:16]

    @cached_property
    def _segments(self) -> dict[str, Path]:
        found = [path.parent for path in Path(self.folder).rglob("global_pose")]
        if not found:
            raise BadData(
                f"{self.folder}: expected segments of comma2k19 (route/minute/global_pose), found "
                "none. Give the folder that holds the routes, unpacked."
            )
        found.sort(key=lambda path: (path.parent.name, path.name.zfill(6)))
        return {f"{path.parent.name}/{path.name}": path for path in found}

    def _cameras(self, folder: Path, times: np.ndarray, mount: np.ndarray) -> dict[str, CameraLog]:
        if not (folder / "video.hevc").exists():
            return {}
        from octoverse.data.logs.hevc import HevcFrames

        frames = HevcFrames(folder / "video.hevc", len(times))
        extrinsics = rotation.rigid(mount @ _FLIP @ _FROM_VIEW, np.array(CAMERA))
        calibration = Calibration(
            intrinsics=INTRINSICS, extrinsics=tuple(map(float, extrinsics.ravel()))
        )
        return {"front": CameraLog(times_ns=times, images=frames, calibration=calibration)}


def mounting(cameras: np.ndarray, velocities: np.ndarray, times_ns: np.ndarray) -> np.ndarray:
    """How a camera is turned in a car whose rear axle moves ahead and that stands level on average.

    Args:
        cameras: (n, 3, 3), from forward, left, up of the camera to a frame with z up.
        velocities: Of the camera, (n, 3) in that frame [m/s].
        times_ns: int64 (n,).

    Returns:
        (3, 3), from the camera's frame to the car's. A car that hardly moves tells nothing about
        ahead: then it is where the camera looks.
    """
    seen = np.einsum("nji,nj->ni", cameras, velocities)
    # In a turn the camera moves sideways where the rear axle does not.
    heading = np.unwrap(rotation.heading_of(cameras))
    seen[:, 1] -= np.gradient(heading, times_ns / 1e9) * CAMERA[0] if len(heading) > 1 else 0
    moving = np.abs(seen[:, 0]) > _MOVING
    up = cameras[:, 2].mean(axis=0)
    if moving.sum() >= _ENOUGH:
        # Reversing counts by its tail: what moves backwards looks the other way.
        ahead = (seen[moving] * np.sign(seen[moving, :1])).sum(axis=0)
    else:
        ahead = np.array([1.0, 0, 0]) - up[0] / (up @ up) * up
    ahead /= np.linalg.norm(ahead)
    left = np.cross(up, ahead)
    left /= np.linalg.norm(left)
    return np.stack([ahead, left, np.cross(ahead, left)])


def _signal(folder: Path, name: str, unit: float) -> Signal | None:
    log = folder / "processed_log/CAN" / name
    if not log.is_dir():
        return None
    times = _nanoseconds(_array(log / "t"))
    return Signal(times_ns=times, values=_rows(log / "value", len(times), 1) * unit)


def _nanoseconds(seconds: np.ndarray) -> np.ndarray:
    return np.round(seconds * 1e9).astype(np.int64)


def _rows(path: Path, count: int, width: int) -> np.ndarray:
    """An array of (count, width); the files have (n,) or (n, 1) where the width is 1."""
    found = _array(path)
    if found.size != count * width or len(found) != count:
        raise BadData(
            f"{path}: expected {count} rows of {width}, one for each time, got {found.shape}. "
            "The file was cut short; fetch it again."
        )
    return found.reshape(count, width)


def _array(path: Path) -> np.ndarray:
    try:
        found: np.ndarray = np.load(path, allow_pickle=False)
    except FileNotFoundError as error:
        raise BadData(f"{path}: expected this array of comma2k19, found none. Fetch it.") from error
    except (ValueError, EOFError, OSError) as error:
        raise BadData(
            f"{path}: expected an array in NumPy's format: {error}. Fetch it again."
        ) from error
    if found.dtype.kind not in "fiu" or not np.isfinite(found).all() or not found.size:
        raise BadData(
            f"{path}: expected finite numbers, got {found.dtype} {found.shape} with "
            f"{int(np.sum(~np.isfinite(found))) if found.dtype.kind in 'fiu' else 'no'} bad. "
            "Leave the segment out, or cut it there."
        )
    return found
