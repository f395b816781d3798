import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest


@pytest.fixture
def chunking(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    path = Path(__file__).parents[2] / "benchmarks/real_time_chunking.py"
    spec = importlib.util.spec_from_file_location("real_time_chunking", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "real_time_chunking", module)
    spec.loader.exec_module(module)
    return module


def test_a_blend_jumps_least_and_all_hold_where_answers_are_lost(chunking: ModuleType) -> None:
    found = {kind: chunking.play(kind) for kind in ("newest", "ensemble", "blend")}
    jumps = {kind: played.jumps.max() for kind, played in found.items()}
    assert jumps["blend"] < jumps["newest"] / 3
    assert jumps["blend"] < jumps["ensemble"] < jumps["newest"]
    for played in found.values():
        time = np.arange(len(played.sent)) / chunking.HZ
        held = np.array(played.stopped)
        assert held[(time > 6.0) & (time < 7.0)].all()
        assert not held[time > 8.0].any()
        assert not played.jumps[held[1:]].any()


def test_it_prints_and_draws_what_was_played(chunking: ModuleType, tmp_path: Path) -> None:
    played = chunking.play("blend")
    line = chunking.report("blend", played)
    assert line.startswith("blend") and f"{played.jumps.max():.3f} rad" in line
    assert len(line) == len(chunking.HEADING)
    chunking.draw({"blend": played, "again": played}, tmp_path / "drawn.png")
    assert (tmp_path / "drawn.png").stat().st_size > 10_000
