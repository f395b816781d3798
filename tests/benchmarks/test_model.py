import importlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import torch


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The benchmark's module, in a hurry."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    module = importlib.import_module("model")
    for name, value in (("TURNS", 1), ("DEMO_BATCH", 2), ("SIZE", "tiny")):
        monkeypatch.setattr(module, name, value)
    return module


ROWS = {
    "octo": [
        "act, 1 robot, float32, without memory",
        "act, 8 robots, bfloat16, with memory",
        "act, 1 robot, bfloat16, streaming trunk",
        "training step, batch 2, bfloat16",
    ],
    "act": ["act, ours, float32", "act, ours, bfloat16", "training step, batch 8, ours, bfloat16"],
    "diffusion": ["act, ours, bfloat16", "training step, batch 8, ours, float32"],
    "mixed": ["widowx", "aloha", "unitree_g1", "passenger_car", "all four together, acting"],
    "demo": ["training step, batch 2, bfloat16", "act, 4 arms and 4 cars"],
}


@pytest.mark.parametrize("name", ROWS)
def test_every_figure_is_measured(model: ModuleType, name: str) -> None:
    said = model.REPORTS[name]()
    for row in ROWS[name]:
        [line] = [one for one in said.splitlines() if one.startswith(row + " ")]
        assert float(line[64:74]) > 0
    if name == "mixed":
        assert "together ÷ sum of the parts: " in said and "built once in " in said


def test_the_paths_of_attention_are_compared_and_equal(model: ModuleType) -> None:
    order = model._frames(30, 2)
    parts = model.attention.readings(order, torch.ones(1, len(order)).bool(), by_step=True)
    given = torch.randn(3, 1, 2, len(order), 8)
    first, *others = [path(*given) for path in model._paths(order, parts)]
    for other in others:
        torch.testing.assert_close(other, first, rtol=1e-5, atol=1e-5)
    cells = model.attention_report().splitlines()[1].split()
    assert len(cells) == 7 and all(float(cell) > 0 for cell in cells[3:])


def test_the_median_of_each_is_given_without_its_first_time(
    model: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, now = importlib.import_module("made"), [0.0]
    monkeypatch.setattr(made, "time", SimpleNamespace(perf_counter=lambda: now[0]))

    def takes(*seconds: float) -> Callable[[], None]:
        left = iter(seconds)

        def run() -> None:
            now[0] += next(left)

        return run

    runs = {"a": takes(9.0, 0.25, 0.125, 0.5), "b": takes(0.0, 0.5, 0.5, 1.0)}
    assert made.in_turns(runs, 3) == {"a": 250, "b": 500}
