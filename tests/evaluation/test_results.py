import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from octoverse import registry
from octoverse.errors import BadData
from octoverse.evaluation import results
from octoverse.evaluation.intervals import wilson
from octoverse.evaluation.results import RowResult, summarise
from octoverse.evaluation.rollout import Rollout

LIFT, LANE = (registry.load("environment", name) for name in ("tabletop-lift", "road-lane"))


@pytest.fixture
def rows(rollout: Callable[..., Rollout]) -> dict[str, RowResult]:
    arm = [rollout(seed=s, success=s != 3, steps=10 + s) for s in range(10)]
    car = [rollout(executed=1, displacements=(0.2, 0.4), displacements_straight=(1.0, 2.0), seed=0)]
    return {
        "arm/lift": summarise(
            LIFT, arm, model="demo-1f", transport="served", expert=arm[:2], random=arm[3:4]
        ),
        "car/lane": summarise(LANE, car, model="demo-1f", transport="served"),
    }


def test_a_row_counts_its_episodes(rows: dict[str, RowResult]) -> None:
    arm, car = rows["arm/lift"], rows["car/lane"]
    assert (arm.success, arm.episodes) == (0.9, 10)
    assert (arm.low, arm.high) == wilson(9, 10)
    assert (arm.seeds, arm.failed_seeds) == ((0, 9), (3,))
    assert arm.steps == 14.5 and arm.metrics == {"height": 0.06}
    assert (arm.expert, arm.random) == (1.0, 0.0)
    assert arm.latency_ms["p50"] == 5.0 and arm.ade is None
    assert car.ade == pytest.approx(0.3) and car.ade_constant_velocity == pytest.approx(1.5)
    assert car.expert is None


def test_a_row_says_what_decided_it(rows: dict[str, RowResult]) -> None:
    arm, car = rows["arm/lift"], rows["car/lane"]
    assert (arm.environment, arm.environment_version) == ("tabletop-lift", LIFT.version)
    assert (arm.embodiment, arm.fingerprint) == ("tabletop_arm", LIFT.body.fingerprint)
    assert arm.model == "demo-1f" and {"python", "torch", "mujoco"} <= set(arm.versions)
    assert "at 10 Hz, a new chunk every 2 control steps, at most 60 steps" in arm.protocol
    assert "a new chunk every control step," in car.protocol
    assert "expert's from the same place" in car.protocol


def test_the_file_has_the_rows_at_its_top(rows: dict[str, RowResult], tmp_path: Path) -> None:
    path = tmp_path / "new/results.json"
    results.write(rows, path)
    plain = json.loads(path.read_text())
    assert list(plain) == ["arm/lift", "car/lane"]
    assert {"success": 0.9, "episodes": 10}.items() <= plain["arm/lift"].items()
    assert plain["arm/lift"]["low"] == pytest.approx(0.596, abs=1e-3)
    assert "ade" not in plain["arm/lift"] and "ade_constant_velocity" in plain["car/lane"]
    assert results.read(path) == rows


@pytest.mark.parametrize("content", ["", "[]", '{"arm/lift": {"success": 1}}', '{"a": 3}'])
def test_a_file_that_is_no_table_is_refused(content: str, tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_text(content)
    with pytest.raises(BadData, match=r"results.json: expected results as octoverse eval writes"):
        results.read(path)
    with pytest.raises(BadData, match="No such file"):
        results.read(tmp_path / "absent.json")


def test_no_episode_is_no_row() -> None:
    with pytest.raises(ValueError, match="at least one episode"):
        summarise(LIFT, [], model="demo-1f", transport="served")


def test_the_table_fits_a_narrow_terminal(rows: dict[str, RowResult]) -> None:
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(results.table(rows, "demo-1f"))
    lines = console.export_text().splitlines()
    [arm] = [line for line in lines if "arm/lift" in line]
    assert all(cell in arm for cell in ("90%", "60%-98%", "10", "100%", "0%", "5, 6 ms"))
    [car] = [line for line in lines if "car/lane" in line]
    assert "0.30 (1.50) m" in car
