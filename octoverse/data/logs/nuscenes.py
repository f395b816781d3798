"""Read nuScenes from its tables: six calibrated cameras, ego motion, agents, and the CAN bus.

The vehicle's frame has its origin below the middle of the rear axle on the ground, x forward,
y left, z up; the fixed frame is that of the map, and poses are planar. Images are undistorted. The
speed and steering come from the CAN bus expansion, where it lies in `can_bus`. Its readme
said for a while that steering to the right is positive: its authors corrected that, left is.

Source: nutonomy/nuscenes-devkit, docs/schema_nuscenes.md, nuscenes/can_bus/README.md, and issues
161 (the frame's origin) and 371 (the sign of the steering).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from octoverse.data.logs.drive import Agents, CameraLog, Drive, EgoMotion, Signal
from octoverse.data.logs.files import fingerprint_of, image_files
from octoverse.data.logs.nuscenes_tables import CameraRows, SceneRows, in_order, read_scenes
from octoverse.data.logs.rows import check_finite, check_increasing, rotations_of
from octoverse.data.logs.tracking import velocities
from octoverse.episode import Calibration
from octoverse.errors import BadData, UnknownName
from octoverse.rotation import heading_of, rigid

ROLES = {
    "CAM_FRONT": "front",
    "CAM_FRONT_LEFT": "cross_left",
    "CAM_FRONT_RIGHT": "cross_right",
    "CAM_BACK_LEFT": "side_left",
    "CAM_BACK_RIGHT": "side_right",
    "CAM_BACK": "rear",
}
"""They look 0, 55 and 110 degrees to either side, and back."""
_MICROSECOND = 1000


class _Pose(msgspec.Struct):
    utime: int
    vel: tuple[float, float, float]


class _Steering(msgspec.Struct):
    utime: int
    value: float


@dataclass(frozen=True, kw_only=True)
class NuScenesReader:
    """The scenes of one version."""

    folder: Path
    """Holds samples, sweeps, a folder of tables, and can_bus where it was fetched."""
    version: str
    """The folder of tables, such as v1.0-mini."""

    def keys(self) -> Sequence[str]:
        """Names of the scenes."""
        return list(self._scenes)

    def drive(self, key: str) -> Drive:
        """Read one scene.

        Raises:
            BadData: if it is damaged.
        """
        scene = self.scene(key)
        speed = self._can_bus(key, "pose", _Pose, lambda message: message.vel[0])
        steering = self._can_bus(
            key, "steeranglefeedback", _Steering, lambda message: message.value
        )
        return Drive(
            key=key,
            cameras={
                ROLES.get(channel, channel): self._camera(key, channel, rows)
                for channel, rows in sorted(scene.cameras.items())
            },
            ego=self._ego(scene),
            speed=speed,
            steering=steering,
            agents=self._agents(scene) if scene.boxes else None,
        )

    def scene(self, key: str) -> SceneRows:
        """What the tables have of one scene.

        Raises:
            UnknownName: if there is no scene of this name.
        """
        if key not in self._scenes:
            raise UnknownName(f"scene in {self._tables}", key, self._scenes)
        return self._scenes[key]

    def fingerprint(self) -> str:
        """Hash of the tables."""
        return fingerprint_of(Path(self.folder), self._tables.glob("*.json"))

    @property
    def _tables(self) -> Path:
        return Path(self.folder) / self.version

    @cached_property
    def _scenes(self) -> dict[str, SceneRows]:
        if not self._tables.is_dir():
            raise BadData(
                f"{self._tables}: expected the tables of nuScenes, found no such folder. Give the "
                "folder that holds samples and v1.0-mini, v1.0-trainval or v1.0-test."
            )
        found = read_scenes(self._tables)
        if not found:
            raise BadData(f"{self._tables}: expected scenes, found none. Fetch the tables again.")
        return {scene.name: scene for scene in found}

    def _camera(self, key: str, channel: str, rows: CameraRows) -> CameraLog:
        times = np.array(rows.times, np.int64) * _MICROSECOND
        order = np.argsort(times, kind="stable")
        check_increasing(f"{self._tables}, {key}", f"the time of {channel}", times[order])
        files = [Path(self.folder) / rows.files[i] for i in order]
        images = image_files(files, f"sample_data.json ({key})")
        mounted, lens = rows.mounted, np.array(rows.mounted.camera_intrinsic)
        if lens.shape != (3, 3):
            raise BadData(
                f"{self._tables / 'calibrated_sensor.json'}: expected a camera_intrinsic of 3 x 3 "
                f"for {channel}, got shape {lens.shape}. Fetch the table again."
            )
        turned = rotations_of(
            self._tables / "calibrated_sensor.json", channel, np.array([mounted.rotation])
        )
        frame = rigid(turned[0], np.array(mounted.translation))
        return CameraLog(
            times_ns=times[order],
            images=images,
            calibration=Calibration(
                intrinsics=tuple(map(float, lens.ravel())),
                extrinsics=tuple(map(float, frame.ravel())),
            ),
        )

    def _ego(self, scene: SceneRows) -> EgoMotion:
        where = f"{self._tables / 'ego_pose.json'}, {scene.name}"
        rows, _ = in_order(scene.poses, 8)
        if not len(rows):
            raise BadData(f"{where}: expected poses, found none. Fetch the tables again.")
        check_finite(where, "translation and rotation", rows)
        # Sensors that fire in one microsecond share their pose.
        first = np.unique(rows[:, 0], return_index=True)[1]
        rows = rows[first]
        return EgoMotion(
            times_ns=rows[:, 0].astype(np.int64) * _MICROSECOND,
            positions=rows[:, 1:4],
            rotations=rotations_of(where, "rotation", rows[:, 4:]),
        )

    def _agents(self, scene: SceneRows) -> Agents:
        where = f"{self._tables / 'sample_annotation.json'}, {scene.name}"
        rows, order = in_order(scene.boxes, 11)
        check_finite(where, "translation and size", rows)
        times, identity = rows[:, 0].astype(np.int64) * _MICROSECOND, np.array(scene.agents, str)
        return Agents(
            times_ns=times,
            identity=identity[order],
            kind=np.array(scene.kinds, str)[order],
            positions=rows[:, 1:4],
            headings=heading_of(rotations_of(where, "rotation", rows[:, 7:])),
            size=rows[:, [5, 4, 6]],  # stored as width, length, height
            velocity=velocities(times, identity[order], rows[:, 1:4], within=1.5),
        )

    def _can_bus(
        self, key: str, name: str, kind: Any, value: Callable[[Any], float]
    ) -> Signal | None:
        path = Path(self.folder) / f"can_bus/{key}_{name}.json"
        if not path.exists():
            return None
        try:
            messages = msgspec.json.decode(path.read_bytes(), type=list[kind])
        except msgspec.MsgspecError as error:
            raise BadData(
                f"{path}: expected a list of messages in JSON: {error}. Fetch the file again."
            ) from error
        times = np.array([message.utime for message in messages], np.int64) * _MICROSECOND
        numbers = np.array([[value(message)] for message in messages]).reshape(-1, 1)
        check_increasing(path, "utime", times)
        check_finite(path, name, numbers)
        return Signal(times_ns=times, values=numbers)
