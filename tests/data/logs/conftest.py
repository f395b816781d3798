"""A drive made of numbers, for what is done with drives; and the tables of nuScenes, written."""

import hashlib
import json
import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from octoverse import rotation
from octoverse.data.logs.drive import CameraLog, Drive, EgoMotion, Signal
from octoverse.episode import Calibration

START = 1_000_000_000_000
SPEED, BEND = 8.0, 0.05


def nanoseconds(seconds: np.ndarray | Sequence[float]) -> np.ndarray:
    return START + np.round(np.asarray(seconds) * 1e9).astype(np.int64)


def circle(seconds: np.ndarray) -> EgoMotion:
    """To the left at 8 m/s and 0.05 /m, from the origin, facing north (y)."""
    turned = SPEED * BEND * seconds
    x, y = np.sin(turned) / BEND, (1 - np.cos(turned)) / BEND
    zero = np.zeros_like(turned)
    return EgoMotion(
        times_ns=nanoseconds(seconds),
        positions=np.stack([-y, x, 0.02 * seconds], axis=1),
        rotations=rotation.from_roll_pitch_yaw(zero, zero - 0.01, turned + np.pi / 2),
    )


def make_drive(key: str = "d", seconds: float = 12.0, **changed: Any) -> Drive:
    """A turn to the left: ego at 25 Hz, a camera at 20 Hz that shows its frame's number."""
    fine, frames = np.arange(0, seconds + 1e-9, 0.04), np.arange(0.01, seconds, 0.05)
    pictures = [np.full((4, 6, 3), i % 256, np.uint8) for i in range(len(frames))]
    looks = Calibration(
        intrinsics=(5.0, 0, 3, 0, 5, 2, 0, 0, 1), extrinsics=tuple(np.eye(4).ravel().tolist())
    )
    drive = Drive(
        key=key,
        ego=circle(fine),
        cameras={
            "front": CameraLog(times_ns=nanoseconds(frames), images=pictures, calibration=looks)
        },
        speed=Signal(times_ns=nanoseconds(fine), values=np.full((len(fine), 1), SPEED)),
        steering=Signal(times_ns=nanoseconds(fine), values=0.1 * fine[:, None]),
        command=Signal(times_ns=nanoseconds([0.95, 5.0]), values=["left", "straight"]),
        instruction=Signal(times_ns=nanoseconds([0.0]), values=["turn left"]),
    )
    return replace(drive, **changed)


@dataclass(frozen=True, kw_only=True)
class Made:
    """A reader of drives that are there already."""

    drives: tuple[Drive, ...]

    def keys(self) -> list[str]:
        return [drive.key for drive in self.drives]

    def drive(self, key: str) -> Drive:
        return next(drive for drive in self.drives if drive.key == key)

    def fingerprint(self) -> str:
        return hashlib.sha256(pickle.dumps(self.drives)).hexdigest()


@dataclass(frozen=True)
class Drives:
    make: Callable[..., Drive] = make_drive
    reader: Callable[..., Made] = Made
    circle: Callable[[np.ndarray], EgoMotion] = circle
    nanoseconds: Callable[..., np.ndarray] = nanoseconds
    start: int = START
    speed: float = SPEED
    bend: float = BEND


@pytest.fixture(scope="session")
def drives() -> Drives:
    return Drives()


Edit = Callable[[dict[str, list[dict[str, Any]]]], None]
CAMERAS = {"CAM_FRONT": 0, "CAM_FRONT_LEFT": 55, "CAM_BACK_RIGHT": -110, "CAM_BACK": 180}


@pytest.fixture
def write_nuscenes(tmp_path: Path) -> Callable[..., Path]:
    """Writes two scenes of the real schema: a car that turns left, another that stands ahead.

    The car drives 5 m/s on a circle of 20 m; key frames come at 2 Hz, images at 10 Hz.
    """

    def write(edit: Edit = lambda tables: None) -> Path:
        tables = nuscenes_tables()
        edit(tables)
        (tmp_path / "v1.0-mini").mkdir(exist_ok=True)
        for name, rows in tables.items():
            (tmp_path / f"v1.0-mini/{name}.json").write_text(json.dumps(rows, indent=0))
        for row in tables["sample_data"]:
            path = tmp_path / row["filename"]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(row["token"].encode())
        return tmp_path

    return write


def nuscenes_tables() -> dict[str, list[dict[str, Any]]]:
    tables: dict[str, list[dict[str, Any]]] = {
        "log": [{"token": "log", "logfile": "n015", "vehicle": "n015", "location": "singapore"}],
        "category": [{"token": "car", "name": "vehicle.car", "description": "A car."}],
        "instance": [],
        "sensor": [{"token": "lidar", "channel": "LIDAR_TOP", "modality": "lidar"}],
        "calibrated_sensor": [mounted("lidar", [0.94, 0, 1.84], [1, 0, 0, 0], [])],
        **{name: [] for name in ("scene", "sample", "sample_data", "ego_pose")},
        "sample_annotation": [],
    }
    for channel, degrees in CAMERAS.items():
        tables["sensor"].append({"token": channel, "channel": channel, "modality": "camera"})
        lens = [[1260.0, 0, 800], [0, 1260.0, 450], [0, 0, 1]]
        aside = float(np.sign(degrees % 360 - 180) * -0.5 if degrees % 180 else 0)
        tables["calibrated_sensor"].append(
            mounted(channel, [1.7, aside, 1.5], looking(np.radians(degrees)), lens)
        )
    for name in ("scene-0001", "scene-0002"):
        _scene(tables, name)
    return tables


def mounted(sensor: str, place: Any, turn: Any, lens: Any) -> dict[str, Any]:
    return {
        "token": f"mounted {sensor}",
        "sensor_token": sensor,
        "translation": place,
        "rotation": turn,
        "camera_intrinsic": lens,
    }


def looking(yaw: float) -> list[float]:
    """Quaternion (w, x, y, z) from a camera that looks level along yaw to the vehicle."""
    # (1, -1, 1, -1) / 2 takes a camera's z to x and its y down; then it is turned about z.
    w, z = np.cos(yaw / 2), np.sin(yaw / 2)
    return [float(v) / 2 for v in (w + z, -w - z, w - z, z - w)]


def _scene(tables: dict[str, list[dict[str, Any]]], name: str) -> None:
    start = 1_533_280_036_162_460 + 10**9 * len(tables["scene"])
    tables["scene"].append(
        {
            "token": f"t-{name}",
            "name": name,
            "log_token": "log",
            "nbr_samples": 5,
            "description": "Turn left",
        }
    )
    tables["instance"].append({"token": f"car of {name}", "category_token": "car"})
    for i in range(21):
        time, angle = start + i * 100_000, 0.025 * i
        sample = f"{name} {round(i / 5) * 5}"
        if i % 5 == 0:
            tables["sample"].append(
                {
                    "token": sample,
                    "timestamp": time,
                    "scene_token": f"t-{name}",
                    "prev": "",
                    "next": "",
                }
            )
            tables["sample_annotation"].append(
                {
                    "token": f"{sample} box",
                    "sample_token": sample,
                    "instance_token": f"car of {name}",
                    "translation": [1000.0, 2030.0, 0.9],
                    "size": [1.9, 4.6, 1.8],
                    "rotation": [float(np.sqrt(0.5)), 0, 0, float(np.sqrt(0.5))],
                    "attribute_tokens": [],
                    "visibility_token": "4",
                    "num_lidar_pts": 5,
                    "num_radar_pts": 0,
                    "prev": "",
                    "next": "",
                }
            )
        pose = {
            "translation": [
                1000 + 20 * float(np.cos(angle)) - 20,
                2000 + 20 * float(np.sin(angle)),
                0.0,
            ],
            "rotation": [
                float(np.cos(angle / 2 + np.pi / 4)),
                0,
                0,
                float(np.sin(angle / 2 + np.pi / 4)),
            ],
            "timestamp": time,
        }
        for channel in ("LIDAR_TOP", *CAMERAS):
            token = f"{name} {channel} {i}"
            tables["ego_pose"].append({"token": f"{token} pose", **pose})
            folder = "samples" if i % 5 == 0 else "sweeps"
            sensor = "lidar" if channel == "LIDAR_TOP" else channel
            tables["sample_data"].append(
                {
                    "token": token,
                    "sample_token": sample,
                    "ego_pose_token": f"{token} pose",
                    "calibrated_sensor_token": f"mounted {sensor}",
                    "timestamp": time,
                    "filename": f"{folder}/{channel}/{name}__{channel}__{time}.jpg",
                    "fileformat": "jpg",
                    "width": 1600,
                    "height": 900,
                    "is_key_frame": i % 5 == 0,
                    "prev": "",
                    "next": "",
                }
            )
