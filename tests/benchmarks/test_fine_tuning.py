import importlib
from pathlib import Path
from types import ModuleType

import msgspec
import pytest

from octoverse import checkpoint, registry


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    return importlib.import_module("fine_tuning")


def test_the_steps_to_an_error_are_the_first_at_which_it_is_that_small(bench: ModuleType) -> None:
    curve = {20: 0.9, 40: 0.5, 60: 0.7, 80: 0.4}
    assert [bench.reached(curve, error) for error in (0.9, 0.5, 0.45, 0.3)] == [20, 40, 80, None]


def test_the_table_has_a_row_for_every_error_that_nothing_comes_to(bench: ModuleType) -> None:
    curves = {"nothing": {10: 0.9, 20: 0.5, 30: 0.6}, "full": {10: 0.55, 20: 0.4, 30: 0.3}}
    assert bench.markdown(curves) == (
        "| error | nothing | full |\n| --- | --- | --- |\n| 0.900 | 10 | 10 |\n"
        "| 0.500 | 20 | 20 |\n| lowest | 0.500 | 0.300 |\n"
    )
    worse = {"nothing": {10: 0.9}, "full": {10: 0.95}}
    assert "| 0.900 | 10 | - |" in bench.markdown(worse)


def test_every_way_is_trained_and_measured(
    small: ModuleType, bench: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    body = msgspec.structs.replace(small.BODIES["tabletop_arm"], name="my_arm")
    load = registry.load
    monkeypatch.setattr(
        registry, "load", lambda kind, name: body if name == "my_arm" else load(kind, name)
    )
    monkeypatch.setitem(small.BODIES, "my_arm", body)
    made = small.Made(embodiment="my_arm"), small.Made(embodiment="my_arm", sizes=(3,))
    monkeypatch.setattr(bench, "open_parts", lambda data: made)
    checkpoint.save(small.policy(), tmp_path / "stored")
    bench.main(
        tmp_path / "stored", "my_arm", "mine", tmp_path / "out", steps=5, every=2, batch_size=4
    )
    head, _, *rows = (tmp_path / "out/table.md").read_text().splitlines()
    assert head == "| error | nothing | untrained | full | frozen-trunk | lora |"
    assert rows[-1].startswith("| lowest | ")
