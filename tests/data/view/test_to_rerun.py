import sys
from pathlib import Path
from typing import Any

import pytest

from octoverse import registry
from octoverse.data.view.to_rerun import to_rerun
from octoverse.errors import MissingExtra

CAR = registry.load("embodiment", "passenger_car")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_an_episode_becomes_a_file_of_rerun(made_data: Any, tmp_path: Path) -> None:
    pytest.importorskip("rerun")
    to_rerun(made_data.MadeDrives().episode(1), CAR, tmp_path / "out/episode.rrd")
    content = (tmp_path / "out/episode.rrd").read_bytes()
    assert content[:4] == b"RRF2" and len(content) > 10_000


def test_rerun_is_an_extra(made_data: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rerun", None)
    words = r"Sending to Rerun needs the package 'rerun'.*octoverse\[view\]"
    with pytest.raises(MissingExtra, match=words):
        to_rerun(made_data.MadeDrives().episode(1), CAR)
