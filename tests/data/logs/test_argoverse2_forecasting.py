from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from octoverse.data.logs.argoverse2_forecasting import Argoverse2ForecastingReader
from octoverse.errors import BadData, UnknownName
from octoverse.rotation import heading_of

START = 3.15986559459579e17


@pytest.fixture
def scenario(tmp_path: Path) -> Callable[..., Argoverse2ForecastingReader]:
    """Writes a scenario: the car drives along y, a cyclist comes across."""

    def write(**changed: Any) -> Argoverse2ForecastingReader:
        step = np.arange(4)
        table = {
            "track_id": ["7"] * 4 + ["AV"] * 4,
            "object_type": ["cyclist"] * 4 + ["vehicle"] * 4,
            "object_category": [1] * 8,
            "timestep": np.tile(step, 2),
            "position_x": np.concatenate([step * 0.5, np.full(4, 9.0)]),
            "position_y": np.concatenate([np.full(4, 3.0), step * 1.0]),
            "heading": np.repeat([0.0, np.pi / 2], 4),
            "velocity_x": np.repeat([5.0, 0.0], 4),
            "velocity_y": np.repeat([0.0, 10.0], 4),
            "start_timestamp": [START] * 8,
            "end_timestamp": [START + 3e8] * 8,
            "num_timestamps": [4] * 8,
        }
        (tmp_path / "one").mkdir(exist_ok=True)
        parquet.write_table(pa.table(table | changed), tmp_path / "one/scenario_one.parquet")
        return Argoverse2ForecastingReader(folder=tmp_path)

    return write


def test_a_scenario_is_read(scenario: Callable[..., Argoverse2ForecastingReader]) -> None:
    reader = scenario()
    drive = reader.drive(reader.keys()[0])
    assert drive.ego is not None and drive.speed is not None and drive.agents is not None
    assert np.diff(drive.ego.times_ns).tolist() == [10**8] * 3
    assert drive.ego.positions[3].tolist() == [9, 3, 0]
    assert drive.ego.rotations[0] @ [1, 0, 0] == pytest.approx([0, 1, 0])
    assert np.asarray(drive.speed.values) == pytest.approx(np.full((4, 1), 10.0))
    assert set(drive.agents.identity) == {"7"} and set(drive.agents.kind) == {"cyclist"}
    assert drive.agents.velocity[0].tolist() == [5, 0]
    assert not drive.agents.size.any() and not drive.cameras


def test_the_fingerprint_changes_with_a_scenario(
    scenario: Callable[..., Argoverse2ForecastingReader],
) -> None:
    before = scenario().fingerprint()
    assert scenario(object_type=["bus"] * 8).fingerprint() != before


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (
            {"track_id": ["7"] * 8},
            "expected the recording car's track 'AV', found none among 1 tra",
        ),
        (
            {"timestep": [0, 1, 2, 3, 0, 1, 1, 3]},
            r"the timestep of 'AV' to increase, got \d+ after",
        ),
        ({"timestep": [0, 1, 2, 3, 0, 1, 2, -1]}, "expected start_timestamp before end_timestamp"),
        ({"end_timestamp": [START] * 8}, "expected start_timestamp before end_timestamp"),
        ({"heading": [np.nan] * 8}, "expected finite numbers in position_x, position_y, heading"),
        ({"heading": [None] * 8}, "expected a value in every row of heading, got 8 without"),
    ],
)
def test_bad_scenarios_are_named(
    scenario: Callable[..., Argoverse2ForecastingReader], changed: dict[str, Any], words: str
) -> None:
    with pytest.raises(BadData, match=rf"scenario_one\.parquet: .*{words}"):
        scenario(**changed).drive("one")


def test_an_empty_scenario_is_refused(
    scenario: Callable[..., Argoverse2ForecastingReader],
) -> None:
    reader = scenario()
    path = reader.folder / "one/scenario_one.parquet"
    parquet.write_table(parquet.read_table(path).slice(0, 0), path)
    with pytest.raises(BadData, match=r"expected tracks, found none"):
        reader.drive("one")


def test_another_folder_and_a_name_are_refused(
    scenario: Callable[..., Argoverse2ForecastingReader],
) -> None:
    reader = scenario()
    with pytest.raises(UnknownName, match=r"No scenario in .* named 'two'"):
        reader.drive("two")
    with pytest.raises(BadData, match="expected folders of Argoverse 2 scenarios with scenario_"):
        Argoverse2ForecastingReader(folder=reader.folder / "one").keys()


def test_the_car_of_a_real_scenario_moves_as_it_says(real_data: Callable[[str], Path]) -> None:
    reader = Argoverse2ForecastingReader(folder=real_data("av2-forecasting"))
    drive = reader.drive(reader.keys()[0])
    assert drive.ego is not None and drive.speed is not None and drive.agents is not None
    times, places = drive.ego.times_ns / 1e9, drive.ego.positions[:, :2]
    assert len(times) == 110 and np.diff(times) == pytest.approx(0.1)
    moved = np.gradient(places, 0.1, axis=0)
    inside = slice(5, -5)  # positions are smoothed towards both ends
    stated = np.asarray(drive.speed.values)[:, 0]
    assert np.abs(np.linalg.norm(moved, axis=1) - stated)[inside].max() < 0.9
    assert np.abs(np.linalg.norm(moved, axis=1) - stated)[inside].mean() < 0.2
    fast = np.linalg.norm(moved, axis=1) > 2
    heading = heading_of(drive.ego.rotations)
    aside = np.arctan2(moved[:, 1], moved[:, 0]) - heading
    assert np.abs(aside[fast]).max() < 0.01
    assert "AV" not in drive.agents.identity
    assert len(set(drive.agents.identity)) == 57
    row = np.searchsorted(drive.ego.times_ns, drive.agents.times_ns)
    gap = np.linalg.norm(drive.agents.positions[:, :2] - places[row], axis=1)
    assert gap.min() > 2.5
