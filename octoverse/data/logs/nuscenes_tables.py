"""The tables of nuScenes, brought together by scene.

The tables of all of nuScenes take gigabytes as they are; they are read a row at a time, and what is
kept of a scene are a few arrays.

Source: nutonomy/nuscenes-devkit, docs/schema_nuscenes.md.
"""

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import msgspec
import numpy as np

from octoverse.data.logs.json_table import json_rows
from octoverse.errors import BadData

Numbers = tuple[float, ...]


class Keyed(msgspec.Struct):
    """A row that others refer to."""

    token: str


class Scene(Keyed):
    """Twenty seconds of driving."""

    name: str


class Sample(Keyed):
    """A key frame."""

    timestamp: int
    scene_token: str


class Sensor(Keyed):
    """A kind of sensor."""

    channel: str
    modality: str


class CalibratedSensor(Keyed):
    """A sensor as it was mounted."""

    sensor_token: str
    translation: Numbers
    rotation: Numbers
    camera_intrinsic: tuple[Numbers, ...]


class Category(Keyed):
    """A kind of agent."""

    name: str


class Instance(Keyed):
    """An agent."""

    category_token: str


class _SampleData(Keyed):
    sample_token: str
    ego_pose_token: str
    calibrated_sensor_token: str
    filename: str
    timestamp: int


class _EgoPose(Keyed):
    translation: tuple[float, float, float]
    rotation: tuple[float, float, float, float]
    timestamp: int


class _SampleAnnotation(Keyed):
    sample_token: str
    instance_token: str
    translation: tuple[float, float, float]
    size: tuple[float, float, float]
    rotation: tuple[float, float, float, float]


@dataclass(kw_only=True)
class CameraRows:
    """Images of one camera, in the order of the tables."""

    mounted: CalibratedSensor
    times: "array[int]" = field(default_factory=lambda: array("q"))
    """In microseconds."""
    files: list[str] = field(default_factory=list)


@dataclass(kw_only=True)
class SceneRows:
    """All that the tables have of one scene, in their order."""

    name: str
    token: str
    samples: dict[str, int] = field(default_factory=dict)
    """Token of each key frame to its time [microseconds]."""
    cameras: dict[str, CameraRows] = field(default_factory=dict)
    """By channel."""
    poses: "array[float]" = field(default_factory=lambda: array("d"))
    """Time [microseconds], place (3), quaternion (4)."""
    boxes: "array[float]" = field(default_factory=lambda: array("d"))
    """Time [microseconds], place (3), width, length, height, quaternion (4)."""
    agents: list[str] = field(default_factory=list)
    """Whose box it is."""
    kinds: list[str] = field(default_factory=list)


_Row = TypeVar("_Row", bound=Keyed)


class _Table(dict[str, _Row]):
    """Rows by token, which complains in words about tokens that it does not have."""

    def __init__(self, path: Path, kind: type[_Row]) -> None:
        super().__init__((row.token, row) for row in json_rows(path, kind))
        self.path = path

    def __missing__(self, token: str) -> _Row:
        raise BadData(
            f"{self.path}: another table refers to the token '{token}', found none such among "
            f"{len(self)} rows. Fetch all tables of one version."
        )


def read_scenes(folder: Path) -> list[SceneRows]:
    """Read the tables of one version, such as v1.0-mini.

    Raises:
        BadData: if a table is missing or damaged, or refers to rows that are not there.
    """
    scenes = {
        row.token: SceneRows(name=row.name, token=row.token)
        for row in _Table(folder / "scene.json", Scene).values()
    }
    samples = _Table(folder / "sample.json", Sample)
    for sample in samples.values():
        if sample.scene_token not in scenes:
            raise BadData(
                f"{folder / 'scene.json'}: another table refers to the token "
                f"'{sample.scene_token}', found none such among {len(scenes)} rows. Fetch all "
                "tables of one version."
            )
        scenes[sample.scene_token].samples[sample.token] = sample.timestamp
    _read_poses(folder, _read_data(folder, scenes, samples))
    _read_boxes(folder, scenes, samples)
    return list(scenes.values())


def _read_data(
    folder: Path, scenes: dict[str, SceneRows], samples: _Table[Sample]
) -> dict[str, SceneRows]:
    sensors = _Table(folder / "sensor.json", Sensor)
    mounted = _Table(folder / "calibrated_sensor.json", CalibratedSensor)
    posed = {}
    for row in json_rows(folder / "sample_data.json", _SampleData):
        scene = scenes[samples[row.sample_token].scene_token]
        posed[row.ego_pose_token] = scene
        mount = mounted[row.calibrated_sensor_token]
        sensor = sensors[mount.sensor_token]
        if sensor.modality == "camera":
            camera = scene.cameras.setdefault(sensor.channel, CameraRows(mounted=mount))
            camera.times.append(row.timestamp)
            camera.files.append(row.filename)
    return posed


def _read_poses(folder: Path, posed: dict[str, SceneRows]) -> None:
    path = folder / "ego_pose.json"
    for row in json_rows(path, _EgoPose):
        scene = posed.pop(row.token, None)
        if scene is not None:
            scene.poses.extend((row.timestamp, *row.translation, *row.rotation))
    if posed:
        raise BadData(
            f"{path}: sample_data.json refers to the token '{next(iter(posed))}' and "
            f"{len(posed) - 1} others, found none such. Fetch all tables of one version."
        )


def _read_boxes(folder: Path, scenes: dict[str, SceneRows], samples: _Table[Sample]) -> None:
    categories = _Table(folder / "category.json", Category)
    instances = _Table(folder / "instance.json", Instance)
    for row in json_rows(folder / "sample_annotation.json", _SampleAnnotation):
        sample = samples[row.sample_token]
        instance, scene = instances[row.instance_token], scenes[sample.scene_token]
        scene.boxes.extend((sample.timestamp, *row.translation, *row.size, *row.rotation))
        scene.agents.append(instance.token)
        scene.kinds.append(categories[instance.category_token].name)


def in_order(rows: Iterable[float], columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Numbers (n, columns) sorted by their first column, and the order that sorts them."""
    numbers = np.array(rows, np.float64).reshape(-1, columns)
    order = np.argsort(numbers[:, 0], kind="stable")
    return numbers[order], order
