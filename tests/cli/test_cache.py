from collections.abc import Callable
from pathlib import Path

import pytest

from octoverse.cli import cache
from octoverse.data.logs.donkeycar import DonkeycarSource
from octoverse.data.rlds.source import RldsSource


def test_the_places_of_episodes_are_kept_for_the_next_time(
    real_data: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "cache_folder", lambda: tmp_path)
    folder = real_data("bridge-octo-debug") / "bridge_dataset/1.0.0"
    first = cache.remembering(RldsSource(folder=folder))
    assert first.lengths().tolist() == [10] * 15
    assert list((tmp_path / "indices").iterdir())
    assert cache.remembering(RldsSource(folder=folder)).lengths().tolist() == [10] * 15


def test_a_source_that_keeps_nothing_stays_as_it_is(tmp_path: Path) -> None:
    own = RldsSource(folder=tmp_path, cache=tmp_path / "mine")
    assert cache.remembering(own) is own
    tub = DonkeycarSource(folder=tmp_path)
    assert cache.remembering(tub) is tub
