"""Read Argoverse 2 sensor logs: poses, calibrated cameras and boxes of one drive in a folder.

The vehicle's frame has its origin in the middle of the rear axle, some 33 cm above the ground,
x forward, y left, z up; the fixed frame is that of the city. Poses are stored at the times of all
sensors together: about every 5 ms, now and then 1 ns apart. Images are undistorted.

Source: argoverse/av2-api, guide/src/datasets/sensor.md, and for the origin the maintainers in
argoverse/argoverse-api, issue 286.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from octoverse.data.logs.arrow_table import read_columns
from octoverse.data.logs.drive import Agents, CameraLog, Drive, EgoMotion
from octoverse.data.logs.files import fingerprint_of, image_files
from octoverse.data.logs.rows import check_finite, check_increasing, rotations_of
from octoverse.data.logs.tracking import velocities
from octoverse.episode import Calibration
from octoverse.errors import BadData, UnknownName
from octoverse.rotation import heading_of, rigid

POSES, BOXES, CAMERAS = "city_SE3_egovehicle.feather", "annotations.feather", "sensors/cameras"
ROLES = {
    "ring_front_center": "front",
    "ring_front_left": "cross_left",
    "ring_front_right": "cross_right",
    "ring_side_left": "side_left",
    "ring_side_right": "side_right",
    "ring_rear_left": "rear_left",
    "ring_rear_right": "rear_right",
}
"""The ring looks 0, 45, 99 and 153 degrees to either side; the stereo cameras keep their names."""
_QUATERNION, _PLACE = ("qw", "qx", "qy", "qz"), ("tx_m", "ty_m", "tz_m")


@dataclass(frozen=True, kw_only=True)
class Argoverse2SensorReader:
    """The logs of one split."""

    folder: Path
    """Holds a folder for each log."""

    def keys(self) -> Sequence[str]:
        """The logs' names."""
        return self._keys

    def drive(self, key: str) -> Drive:
        """Read one log; cameras whose images were not fetched are absent, as are hidden boxes.

        Raises:
            BadData: if it is damaged.
        """
        if key not in self._keys:
            raise UnknownName(f"log in {self.folder}", key, self._keys)
        log = Path(self.folder) / key
        ego = _poses(log)
        return Drive(
            key=key,
            cameras=_cameras(log),
            ego=ego,
            agents=_boxes(log, ego) if (log / BOXES).exists() else None,
        )

    def fingerprint(self) -> str:
        """Hash of the tables, and of the names of the images."""
        logs = [Path(self.folder) / key for key in self._keys]
        return fingerprint_of(Path(self.folder), [f for log in logs for f in log.glob("*.feather")])

    @cached_property
    def _keys(self) -> list[str]:
        found = sorted(path.parent.name for path in Path(self.folder).glob(f"*/{POSES}"))
        if not found:
            raise BadData(
                f"{self.folder}: expected folders of Argoverse 2 sensor logs with {POSES}, found "
                "none. Give the folder of a split, such as sensor/val."
            )
        return found


def calibrations(log: Path) -> dict[str, Calibration]:
    """Where the cameras of a log look, by their role.

    Raises:
        BadData: if its tables are damaged.
    """
    path = log / "calibration/egovehicle_SE3_sensor.feather"
    placed = read_columns(path, ("sensor_name", *_QUATERNION, *_PLACE))
    frames = rigid(*_pose(path, placed))
    place = {str(name): row for row, name in enumerate(placed["sensor_name"])}
    path = log / "calibration/intrinsics.feather"
    inner = read_columns(path, ("sensor_name", "fx_px", "fy_px", "cx_px", "cy_px"))
    found = {}
    for row, name in enumerate(map(str, inner["sensor_name"])):
        if name not in place:
            raise BadData(
                f"{path}: '{name}' is not in egovehicle_SE3_sensor.feather, which has "
                f"{', '.join(place)}. Fetch the log's calibration again."
            )
        fx, fy, cx, cy = (float(inner[k][row]) for k in ("fx_px", "fy_px", "cx_px", "cy_px"))
        found[ROLES.get(name, name)] = Calibration(
            intrinsics=(fx, 0.0, cx, 0.0, fy, cy, 0.0, 0.0, 1.0),
            extrinsics=tuple(map(float, frames[place[name]].ravel())),
        )
    return found


def _cameras(log: Path) -> dict[str, CameraLog]:
    folders = sorted(path for path in (log / CAMERAS).glob("*") if path.is_dir())
    known = calibrations(log) if folders else {}
    found = {}
    for folder in folders:
        role = ROLES.get(folder.name, folder.name)
        if role not in known:
            raise BadData(
                f"{folder}: the log's calibration has no such camera. Fetch intrinsics.feather."
            )
        try:
            files = {int(path.stem): path for path in folder.glob("*.jpg")}
        except ValueError as error:
            raise BadData(
                f"{folder}: expected images named by their time in ns, such as "
                f"315966253572412942.jpg: {error}. Remove what does not belong to the log."
            ) from error
        times = np.array(sorted(files), np.int64)
        images = image_files([files[int(time)] for time in times], folder)
        found[role] = CameraLog(times_ns=times, images=images, calibration=known[role])
    return found


def _poses(log: Path) -> EgoMotion:
    path = log / POSES
    table = read_columns(path, ("timestamp_ns", *_QUATERNION, *_PLACE))
    if not len(table["timestamp_ns"]):
        raise BadData(f"{path}: expected poses, found none. Fetch the log again.")
    check_increasing(path, "timestamp_ns", table["timestamp_ns"])
    rotations, positions = _pose(path, table)
    return EgoMotion(times_ns=table["timestamp_ns"], positions=positions, rotations=rotations)


def _boxes(log: Path, ego: EgoMotion) -> Agents:
    path, size = log / BOXES, ("length_m", "width_m", "height_m")
    columns = ("timestamp_ns", "track_uuid", "category", *size, *_QUATERNION, *_PLACE)
    table = read_columns(path, columns)
    order = np.argsort(table["timestamp_ns"], kind="stable")
    table = {name: values[order] for name, values in table.items()}
    times, identity = table["timestamp_ns"], table["track_uuid"].astype(str)
    row = np.searchsorted(ego.times_ns, times).clip(max=len(ego.times_ns) - 1)
    lost = np.flatnonzero(ego.times_ns[row] != times)
    if len(lost):
        raise BadData(
            f"{path}: boxes at {times[lost[0]]} ns have no pose of that time in {POSES}. "
            "Fetch both tables again."
        )
    # Boxes are stored in the vehicle's frame of their time.
    turned, placed = _pose(path, table)
    positions = ego.positions[row] + np.einsum("nij,nj->ni", ego.rotations[row], placed)
    return Agents(
        times_ns=times,
        identity=identity,
        kind=table["category"].astype(str),
        positions=positions,
        headings=heading_of(ego.rotations[row] @ turned),
        size=np.stack([table[name] for name in size], axis=1),
        velocity=velocities(times, identity, positions, within=0.5),
    )


def _pose(path: Path, table: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    turn = np.stack([table[name] for name in _QUATERNION], axis=1)
    place = np.stack([table[name] for name in _PLACE], axis=1)
    check_finite(path, "tx_m to tz_m", place)
    return rotations_of(path, "qw to qz", turn), place
