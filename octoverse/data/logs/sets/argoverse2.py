"""Argoverse 2: sensor logs and motion forecasting.

The maps are not read. Source: Wilson et al., "Argoverse 2: Next Generation Datasets for
Self-Driving Perception and Forecasting" (2021).
"""

from pathlib import Path

from octoverse.data.dataset import DataSet
from octoverse.data.logs.argoverse2_forecasting import Argoverse2ForecastingReader
from octoverse.data.logs.argoverse2_sensor import Argoverse2SensorReader
from octoverse.data.logs.sets.opening import HELD_OUT, as_split, held_out
from octoverse.data.logs.source import DriveSource

_SPLITS = ("train", "val", "test")


def _sensor(folder: str, split: str) -> DriveSource:
    reader = Argoverse2SensorReader(folder=Path(folder) / split)
    return as_split("argoverse2-sensor", reader, split)


def _sensor_log(folder: str, split: str) -> DriveSource:
    reader = Argoverse2SensorReader(folder=Path(folder) / "val")
    return held_out("av2-sensor-log", reader, split)


def _forecasting(folder: str, split: str) -> DriveSource:
    reader = Argoverse2ForecastingReader(folder=Path(folder) / split)
    return as_split("argoverse2-forecasting", reader, split)


def _scenario(folder: str, split: str) -> DriveSource:
    reader = Argoverse2ForecastingReader(folder=Path(folder))
    return held_out("av2-forecasting", reader, split)


SENSOR = DataSet(
    name="argoverse2-sensor",
    embodiment="passenger_car",
    open=_sensor,
    folder="av2/sensor",
    splits=_SPLITS,
    about="Argo AI: 1000 drives of 15 s, nine cameras, poses and boxes; CC BY-NC-SA 4.0.",
)
SENSOR_LOG = DataSet(
    name="av2-sensor-log",
    embodiment="passenger_car",
    open=_sensor_log,
    folder="av2-sensor-log",
    splits=HELD_OUT,
    about="Argo AI: one drive of Argoverse 2 without its images; CC BY-NC-SA 4.0.",
)
FORECASTING = DataSet(
    name="argoverse2-forecasting",
    embodiment="passenger_car",
    open=_forecasting,
    folder="av2/motion-forecasting",
    splits=_SPLITS,
    about="Argo AI: 250,000 scenarios of 11 s, tracks at 10 Hz without images; CC BY-NC-SA 4.0.",
)
SCENARIO = DataSet(
    name="av2-forecasting",
    embodiment="passenger_car",
    open=_scenario,
    folder="av2-forecasting",
    splits=HELD_OUT,
    about="Argo AI: one scenario of Argoverse 2 motion forecasting; CC BY-NC-SA 4.0.",
)
