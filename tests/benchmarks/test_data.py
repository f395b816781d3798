import importlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def data(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The benchmark's module, in a hurry and without workers."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    module = importlib.import_module("data")
    monkeypatch.setattr(module, "SECONDS", 0.2)
    monkeypatch.setattr(module, "WORKERS", 0)
    return module


def test_images_are_counted_beside_octo_s(
    data: ModuleType, real_data: Callable[[str], Path]
) -> None:
    _, with_, without = data.images(real_data("bridge-octo-debug").parent).splitlines()
    assert 0 < float(with_.split()[2].replace(",", "")) < 1e6
    assert "Octo's 504" in with_ and "Octo's 1,030" in without


def test_memory_is_measured_on_a_set_of_any_size(
    data: ModuleType, real_data: Callable[[str], Path], tmp_path: Path
) -> None:
    data._repeated(real_data("bridge-octo-debug").parent / data.BRIDGE, tmp_path, 400)
    source = data.RldsSource(folder=tmp_path)
    assert source.lengths().sum() == 450
    assert source.episode(len(source) - 1).observation["primary"][9][:2] == b"\xff\xd8"


def test_statistics_are_timed_without_reading(data: ModuleType, tmp_path: Path) -> None:
    assert float(data.statistics(tmp_path).split("reading: ")[1].split(" s")[0]) >= 0
