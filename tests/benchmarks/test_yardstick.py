import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def yardstick(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The benchmark's module, in a hurry."""
    path = Path(__file__).parents[2] / "benchmarks/yardstick.py"
    spec = importlib.util.spec_from_file_location("yardstick", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "yardstick", module)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "_BUDGET", 0.02)
    return module


def test_every_figure_is_that_of_a_machine(yardstick: ModuleType) -> None:
    found = yardstick.measure()  # and no machine is faster; how slow one is, its load decides
    assert 0 < found.float32_gflops < 1e6
    assert 0 < found.bfloat16_gflops < 1e6
    assert 0 < found.jpegs_per_second < 1e5
    assert 0 < found.copy_gb_per_second < 1e4
    assert found.round_trip_ms > 0.01


def test_the_report_has_a_line_with_its_unit_for_each(yardstick: ModuleType) -> None:
    lines = yardstick.report(
        yardstick.Yardstick(
            threads=2,
            float32_gflops=321.0,
            bfloat16_gflops=1234.0,
            jpegs_per_second=3150.0,
            copy_gb_per_second=13.0,
            round_trip_ms=0.25,
        )
    ).splitlines()
    assert [" ".join(line.split()) for line in lines] == [
        "matrix product, float32 321 GFLOP/s 2 threads",
        "matrix product, bfloat16 1,234 GFLOP/s 2 threads",
        "JPEG decode, 256 x 256 3,150 /s one core",
        "memory copy 13 GB/s one core",
        "bare pyzmq round trip 0.25 ms two 224 x 224 images",
    ]
