import importlib
import time
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The benchmark's module, in a hurry."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    module = importlib.import_module("model")
    monkeypatch.setattr(module, "BATCH", 2)
    monkeypatch.setattr(module, "TURNS", 1)
    return module


def test_a_step_is_timed_by_body_and_precision(model: ModuleType) -> None:
    heading, *rows = model.step_report().splitlines()
    assert "batch 2, 5.6 M parameters" in heading
    assert [row.partition(",")[0] for row in rows[::2]] == [
        "both bodies", "arm alone", "car alone",
    ]  # fmt: skip
    for row in rows:
        taken, speed = map(float, row.split()[-2:])
        assert taken > 0 and speed == pytest.approx(2000 / taken, rel=0.2, abs=1)


def test_the_median_of_each_is_given_without_its_first_time(model: ModuleType) -> None:
    slow = iter([0.05, 0.0, 0.0, 0.0])
    found = model.in_turns({"a": lambda: time.sleep(next(slow)), "b": lambda: None}, 3)
    assert found["a"] < 25 and found["b"] < 25
