import importlib
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def serving(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The benchmark's module, in a hurry."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    module = importlib.import_module("serving")
    monkeypatch.setattr(module, "TURNS", 2)
    monkeypatch.setattr(module, "PER_TURN", 5)
    return module


@pytest.mark.parametrize("part", ["overhead", "curve"])
def test_one_client_of_each_kind_is_compared_with_bare_sockets(
    serving: ModuleType, part: str
) -> None:
    _, *rows = serving.PARTS[part]().splitlines()
    ratios = [float(row.split()[-3]) for row in rows]
    assert ratios[0] == 1.0
    # A ratio of ten requests says nothing on a busy machine, but that there is one.
    assert all(ratio > 0 for ratio in ratios)
    assert any(row.startswith("octoverse") for row in rows)


def test_many_clients_are_counted(serving: ModuleType) -> None:
    kinds = (serving.WEBSOCKET, serving.OURS)
    _, peer, ours = serving.compared("two clients", kinds, 2, 0.001, 0.3, 1).splitlines()
    assert peer.split()[-4] == "1.00"
    assert float(ours.split()[-5]) > 0  # requests per second
    assert 0 < float(ours.split()[-1]) <= 1  # of a fair share


def test_silent_robots_and_a_day_s_work_are_told(serving: ModuleType) -> None:
    assert serving.idle(3).startswith("3 idle sessions: ")
    told = serving.soak(minutes=0.01, clients=1)
    assert "'lost'" not in told
    assert " MiB a minute" in told
