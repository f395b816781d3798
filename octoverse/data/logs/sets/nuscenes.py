"""NuScenes, and DriveLM's questions and answers about it.

Source: Caesar et al., "nuScenes: A multimodal dataset for autonomous driving" (2020); Sima et al.,
"DriveLM: Driving with Graph Visual Question Answering" (2023).
"""

from pathlib import Path

from octoverse.data.dataset import DataSet
from octoverse.data.logs.drivelm import DriveLMReader
from octoverse.data.logs.nuscenes import NuScenesReader
from octoverse.data.logs.sets.opening import as_split
from octoverse.data.logs.source import DriveSource


def _nuscenes(folder: str, split: str) -> DriveSource:
    reader = NuScenesReader(folder=Path(folder), version=split)
    return as_split("nuscenes", reader, split)


def _drivelm(folder: str, split: str) -> DriveSource:
    images = Path(folder)
    tables = NuScenesReader(folder=images / "nuscenes", version="v1.0-trainval")
    reader = DriveLMReader(
        file=images / f"QA_dataset_nus/v1_1_{split}_nus.json",
        images=images,
        tables=tables if (tables.folder / tables.version).is_dir() else None,
    )
    return as_split("drivelm-nuscenes", reader, split)


def _sample(folder: str, split: str) -> DriveSource:
    reader = DriveLMReader(file=Path(folder) / f"{split}_sample.json", images=Path(folder))
    return as_split("drivelm-nuscenes-sample", reader, split)


NUSCENES = DataSet(
    name="nuscenes",
    embodiment="passenger_car",
    open=_nuscenes,
    folder="nuscenes",
    splits=("v1.0-trainval", "v1.0-mini", "v1.0-test"),
    about="Motional: 1000 scenes of 20 s in Boston and Singapore, six cameras; CC BY-NC-SA 4.0.",
)
DRIVELM = DataSet(
    name="drivelm-nuscenes",
    embodiment="passenger_car",
    open=_drivelm,
    folder="DriveLM/data",
    splits=("train",),
    about="OpenDriveLab: questions and answers about 4871 key frames of nuScenes, whose tables are "
    "read where they are there; CC BY-NC-SA 4.0.",
)
SAMPLE = DataSet(
    name="drivelm-nuscenes-sample",
    embodiment="passenger_car",
    open=_sample,
    folder="drivelm-nuscenes-sample",
    splits=("train",),
    about="OpenDriveLab: questions and answers about five key frames; CC BY-NC-SA 4.0.",
)
