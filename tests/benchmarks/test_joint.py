import importlib
from pathlib import Path
from types import ModuleType

import pytest

from octoverse import registry
from octoverse.training.report import Comparison, Report


@pytest.fixture
def joint(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    return importlib.import_module("joint")


def comparison(body: str, data: str, policy: float, against: str = "training mean") -> Comparison:
    return Comparison(
        body=body, data=data, against=against, seconds=2.0, policy=policy, simple=0.5, samples=9
    )


def test_what_was_measured_jointly_stands_beside_the_same_alone(joint: ModuleType) -> None:
    both = Report([], [comparison("arm", "a", 0.3), comparison("car", "b", 0.2)])
    by_body = {
        "arm": Report(
            [], [comparison("arm", "a", 0.1, "last action"), comparison("arm", "a", 0.4)]
        ),
        "car": Report([], [comparison("car", "c", 0.9), comparison("car", "b", 0.6)]),
    }
    heading, _, arm, car = joint.markdown(joint.rows(both, by_body)).splitlines()
    assert heading.endswith("| compared with | its error | alone | joint |")
    assert arm == "| arm | a | 9 | 2 s | training mean | 0.500 | 0.400 | 0.300 |"
    assert car.endswith("| 0.600 | 0.200 |")


def test_it_trains_jointly_and_alone_and_writes_table_and_picture(
    joint: ModuleType, small: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "load", _load_small(small))
    joint.main(tmp_path, "small", tmp_path, steps=2)
    table = (tmp_path / "table.md").read_text()
    assert "| tabletop_arm | kept | 8 | 0.4 s | training mean |" in table
    assert "| road_car | made | 4 | 3 s | constant velocity |" in table
    assert (tmp_path / "table.png").stat().st_size > 5000
    assert (tmp_path / "road_car" / "held_out.json").exists()


def _load_small(small: ModuleType) -> object:
    load = registry.load

    def found(kind: registry.Kind, name: str) -> object:
        return (lambda data: small.recipe()) if kind == "recipe" else load(kind, name)

    return found
