"""Read KITTI raw: two colour cameras and an OXTS inertial navigation unit on a VW Passat, 10 Hz.

Image_02 is the camera `front`, image_03 its partner to the right, `front_right`; both are
rectified. Other agents are read from tracklet_labels.xml where it lies in the drive. A drive has as
many frames as it has files: the stamps of files that are not there are left out, and a file without
a stamp is an error.

Positions are those of the development kit (a Mercator projection scaled to the first latitude),
moved from the OXTS unit to the rear axle. Speed is the unit's forward velocity, moved likewise.

Source: Geiger et al., "Vision meets Robotics: The KITTI Dataset" (2013); the raw data's
development kit, readme.txt and convertOxtsToPose.m; the setup's drawing for the axle: the unit
0.93 m above the road and 0.32 m to the left of the middle, as calib_imu_to_velo.txt has it, the
axle 0.30 m above the road, and 0.05 m ahead of the unit (0.81 to the laser, 0.27 on to the
cameras, 1.68 on to the front axle, less the wheelbase of 2.71 m).
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from octoverse import rotation
from octoverse.data.logs.drive import CameraLog, Drive, EgoMotion, Signal
from octoverse.data.logs.files import fingerprint_of, image_files
from octoverse.data.logs.kitti_tracklets import read_tracklets
from octoverse.episode import Calibration
from octoverse.errors import BadData

REAR_AXLE = (0.05, -0.32, -0.63)
"""Middle of the rear axle in the OXTS unit's frame (x forward, y left, z up) [m]."""
ROLES = {"image_02": "front", "image_03": "front_right"}
_EARTH = 6378137.0
_NUMBERS = 30
_LATITUDE, _LONGITUDE, _HEIGHT, _ROLL, _PITCH, _YAW, _FORWARD, _TURN = 0, 1, 2, 3, 4, 5, 8, 22
"""Places in a line of oxts/data, see oxts/dataformat.txt; the last turns about the earth's up."""


@dataclass(frozen=True, kw_only=True)
class KittiReader:
    """Drives of KITTI raw, synchronised and rectified, keyed by their folders' names."""

    folder: Path
    """Holds folders named by date, with calib_*.txt and the drives."""

    def keys(self) -> list[str]:
        """Every drive, in order of their names."""
        return list(self._drives)

    def drive(self, key: str) -> Drive:
        """Read one drive.

        Raises:
            BadData: if a file is missing or damaged.
        """
        folder = self._drives[key]
        files, times = _frames(folder / "oxts", "txt")
        rows = np.stack([_line(file) for file in files])
        turned = rotation.from_roll_pitch_yaw(*rows[:, [_ROLL, _PITCH, _YAW]].T)
        speed = rows[:, _FORWARD] - rows[:, _TURN] * REAR_AXLE[1]
        places = mercator(rows) + turned @ np.array(REAR_AXLE)
        ego = EgoMotion(times_ns=times, positions=places, rotations=turned)
        tracklets, agents = folder / "tracklet_labels.xml", None
        if tracklets.exists():
            frames = np.array([int(file.stem) for file in files])
            agents = read_tracklets(tracklets, ego, frames, _lidar(folder))
        return Drive(
            key=key,
            ego=ego,
            agents=agents,
            speed=Signal(times_ns=times, values=speed[:, None]),
            cameras=self._cameras(folder),
        )

    def fingerprint(self) -> str:
        """Hash of the numbers and stamps, and of the images' names and sizes."""
        drives = self._drives.values()
        numbers = {path for drive in drives for path in drive.rglob("*.txt")}
        numbers |= {path for drive in drives for path in drive.glob("tracklet_labels.xml")}
        numbers |= {path for drive in drives for path in _calibrations(drive) if path.is_file()}
        images = sorted(path for drive in drives for path in drive.rglob("*.png"))
        told = (
            REAR_AXLE,
            fingerprint_of(Path(self.folder), numbers),
            [(path.name, path.stat().st_size) for path in images],
        )
        return hashlib.sha256(repr(told).encode()).hexdigest()[:16]

    @cached_property
    def _drives(self) -> dict[str, Path]:
        found = sorted(path.parent for path in Path(self.folder).rglob("oxts"))
        if not found:
            raise BadData(
                f"{self.folder}: expected drives of KITTI raw (date/drive/oxts), found none. Give "
                "the folder that holds the dates, unpacked."
            )
        return {path.name: path for path in found}

    def _cameras(self, folder: Path) -> dict[str, CameraLog]:
        found = {}
        for name, role in ROLES.items():
            if (folder / name).is_dir():
                files, times = _frames(folder / name, "png")
                found[role] = CameraLog(
                    times_ns=times,
                    images=image_files(files, folder / name),
                    calibration=calibration(folder, name[-2:]),
                )
        return found


def mercator(rows: np.ndarray) -> np.ndarray:
    """Places (n, 3) [m] of latitudes, longitudes [degree] and heights: x east, y north, z up."""
    latitude, longitude = np.radians(rows[:, _LATITUDE]), np.radians(rows[:, _LONGITUDE])
    scale = np.cos(latitude[0]) * _EARTH
    north = np.log(np.tan(np.pi / 4 + latitude / 2))
    found = np.stack([scale * longitude, scale * north, rows[:, _HEIGHT]], axis=1)
    return found - found[0]


def calibration(drive: Path, camera: str) -> Calibration:
    """Of one rectified camera ("02") of a drive, to its rear axle.

    Raises:
        BadData: if a calibration file is missing or damaged.
    """
    cameras, lidar = (_calibration_file(path) for path in _calibrations(drive)[:2])
    where = drive.parent / "calib_cam_to_cam.txt"
    projection = _matrix(cameras, f"P_rect_{camera}", (3, 4), where)
    lens = projection[:, :3]
    # A rectified camera stands beside the first one, turned as that is.
    beside = rotation.rigid(np.eye(3), np.linalg.solve(lens, projection[:, 3]))
    rectified = rotation.rigid(_matrix(cameras, "R_rect_00", (3, 3), where), np.zeros(3))
    from_lidar = _rigid(lidar, drive.parent / "calib_velo_to_cam.txt")
    to_axle = _lidar(drive) @ np.linalg.inv(beside @ rectified @ from_lidar)
    return Calibration(
        intrinsics=tuple(map(float, lens.ravel())), extrinsics=tuple(map(float, to_axle.ravel()))
    )


def _lidar(drive: Path) -> np.ndarray:
    """From the laser's frame to the rear axle's, (4, 4)."""
    path = drive.parent / "calib_imu_to_velo.txt"
    from_unit = _rigid(_calibration_file(path), path)
    return rotation.rigid(np.eye(3), -np.array(REAR_AXLE)) @ np.linalg.inv(from_unit)


def _calibrations(drive: Path) -> Sequence[Path]:
    names = ("cam_to_cam", "velo_to_cam", "imu_to_velo")
    return [drive.parent / f"calib_{name}.txt" for name in names]


def _rigid(entries: dict[str, str], where: Path) -> np.ndarray:
    return rotation.rigid(_matrix(entries, "R", (3, 3), where), _matrix(entries, "T", (3,), where))


def _matrix(entries: dict[str, str], name: str, shape: tuple[int, ...], where: Path) -> np.ndarray:
    try:
        return np.array(entries[name].split(), np.float64).reshape(shape)
    except (KeyError, ValueError) as error:
        raise BadData(
            f"{where}: expected {name} with {int(np.prod(shape))} numbers, got "
            f"'{entries.get(name, 'no such line')[:60]}'. Fetch the calibration again."
        ) from error


def _calibration_file(path: Path) -> dict[str, str]:
    entries = (line.partition(":") for line in _text(path).splitlines())
    return {name: values for name, _, values in entries}


def _frames(folder: Path, ending: str) -> tuple[list[Path], np.ndarray]:
    """Files of a stream, in order of their numbers, and the time of each, int64 (n,) [ns]."""
    files = sorted((folder / "data").glob(f"*.{ending}"))
    if not files:
        raise BadData(
            f"{folder / 'data'}: expected frames (0000000000.{ending}, ...), found none. The "
            "stream is empty; fetch it, or leave its folder out."
        )
    lines = _text(folder / "timestamps.txt").split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    try:
        stamps = np.array([line.strip().replace(" ", "T") for line in lines], "datetime64[ns]")
    except ValueError as error:
        raise BadData(
            f"{folder / 'timestamps.txt'}: expected a date and a time in each line: {error}. "
            "Fetch it again."
        ) from error
    numbers = []
    for file in files:
        if not file.stem.isdigit() or int(file.stem) >= len(stamps):
            raise BadData(
                f"{file}: expected a frame with a number below {len(stamps)}, the stamps in "
                "timestamps.txt. The list was cut short; fetch it again."
            )
        numbers.append(int(file.stem))
    return files, stamps[numbers].astype(np.int64)


def _line(path: Path) -> np.ndarray:
    text = _text(path)
    try:
        found = np.array(text.split(), np.float64)
    except ValueError:
        found = np.empty(0)
    if len(found) != _NUMBERS or not np.isfinite(found).all():
        raise BadData(
            f"{path}: expected {_NUMBERS} finite numbers (oxts/dataformat.txt), got "
            f"'{text[:60].strip()}'. Fetch it again."
        )
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError as error:
        raise BadData(
            f"{path}: expected this file of KITTI raw, got: {error.strerror}. Fetch it."
        ) from error
