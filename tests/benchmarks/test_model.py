import importlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace

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


def test_the_median_of_each_is_given_without_its_first_time(
    model: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(model, "time", SimpleNamespace(perf_counter=lambda: now[0]))

    def takes(*seconds: float) -> Callable[[], None]:
        left = iter(seconds)

        def run() -> None:
            now[0] += next(left)

        return run

    runs = {"a": takes(9.0, 0.25, 0.125, 0.5), "b": takes(0.0, 0.5, 0.5, 1.0)}
    assert model.in_turns(runs, 3) == {"a": 250, "b": 500}
