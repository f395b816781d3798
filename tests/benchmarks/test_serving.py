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


def test_one_client_is_compared_with_bare_sockets(serving: ModuleType) -> None:
    _, bare, served, ping, _ = serving.one_client().splitlines()
    assert bare.split()[-1] == "1.00"
    # A ratio of five requests says nothing on a busy machine, but that there is one.
    assert float(served.split()[-1]) > 0
    assert float(ping.split()[-1]) > 0


def test_many_clients_are_counted(serving: ModuleType) -> None:
    assert "requests/s, p50" in serving.many_clients(2, 0.001, lasting=0.2)
