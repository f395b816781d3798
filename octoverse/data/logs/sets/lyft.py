"""Lyft Level 5 prediction.

Source: Houston et al., "One Thousand and One Hours: Self-driving Motion Prediction Dataset" (2020).
"""

from pathlib import Path

from octoverse.data.dataset import DataSet
from octoverse.data.logs.lyft import LyftReader
from octoverse.data.logs.sets.opening import HELD_OUT, as_split, held_out
from octoverse.data.logs.source import DriveSource


def _prediction(folder: str, split: str) -> DriveSource:
    reader = LyftReader(folder=Path(folder) / f"{split}.zarr")
    return as_split("lyft-l5", reader, split)


def _scene(folder: str, split: str) -> DriveSource:
    reader = LyftReader(folder=Path(folder) / "single_scene.zarr")
    return held_out("lyft-l5-scene", reader, split)


PREDICTION = DataSet(
    name="lyft-l5",
    embodiment="passenger_car",
    open=_prediction,
    folder="prediction-dataset/scenes",
    splits=("train", "validate", "test", "sample"),
    about="Lyft: 1118 hours of one route in Palo Alto, tracks without images; CC BY-NC-SA 4.0.",
)
SCENE = DataSet(
    name="lyft-l5-scene",
    embodiment="passenger_car",
    open=_scene,
    folder="lyft-l5-scene",
    splits=HELD_OUT,
    about="Lyft: one scene of Level 5 prediction, tracks without images; CC BY-NC-SA 4.0.",
)
