from pathlib import Path

import pytest

from octoverse.cli.data.record import record
from octoverse.data import record as recording
from octoverse.data.record import Recorded


def test_record_tells_what_it_came_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(environment: str, folder: Path, episodes: int, **settings: object) -> Recorded:
        assert (environment, episodes) == ("tabletop-lift", 5)
        assert settings == {"seed": 3, "noise": 0.4, "processes": 2, "only_success": False}
        return Recorded(
            folder=folder, episodes=5, steps=100, new_steps=100, attempts=6, seconds=2.0
        )

    monkeypatch.setattr(recording, "record", run)
    record("tabletop-lift", tmp_path, episodes=5, seed=3, all_attempts=True)
    said = capsys.readouterr().out
    assert "holds 5 episodes, 100 steps (6 attempts and 100 steps in 2 s, 50 steps/s)." in said
