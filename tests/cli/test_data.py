from pathlib import Path

import numpy as np
import pytest

from octoverse import registry
from octoverse.cli import data
from octoverse.data import record as recording
from octoverse.data.lerobot.writer import LeRobotWriter
from octoverse.data.record import Recorded
from octoverse.episode import Episode
from octoverse.errors import BadData


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with LeRobotWriter(tmp_path / "drives", registry.load("embodiment", "rc_car")) as writer:
        for number in range(2):
            pedals = np.full((40, 2), 0.25)
            pedals[:, 0] = np.linspace(-1, 1, 40)
            writer.add(
                Episode(
                    embodiment="rc_car",
                    source="made",
                    key=str(number),
                    times_ns=np.arange(40) * 50_000_000,
                    observation={
                        "front": np.zeros((40, 6, 8, 3), np.uint8),
                        "instruction": ["keep left" if number else "keep right"] * 40,
                    },
                    action={"pedals": pedals},
                )
            )
    return tmp_path / "drives"


def test_inspect_says_what_a_data_set_holds(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data.inspect(folder)
    said = " ".join(capsys.readouterr().out.split())
    assert "drives: 2 episodes of 'rc_car', 80 steps (0.1 min at 20 Hz), 40 to 40 steps" in said
    assert "2 different: keep left; keep right" in said
    assert "pedals.steering" in said and "near-constant" in said


def test_inspect_can_leave_the_numbers_out(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data.inspect(folder, statistics=False)
    assert "pedals.steering" not in capsys.readouterr().out


def test_inspect_names_a_folder_that_is_no_data_set(tmp_path: Path) -> None:
    with pytest.raises(BadData, match=r"expected a LeRobot \(meta/\), RLDS .* found none of these"):
        data.inspect(tmp_path)


def test_inspect_names_a_data_set_without_episodes(folder: Path) -> None:
    info = folder / "meta/info.json"
    info.write_text(info.read_text().replace('"total_episodes": 2', '"total_episodes": 0'))
    with pytest.raises(BadData, match="drives: the data set has no episode"):
        data.inspect(folder)


def test_record_tells_what_it_came_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def record(environment: str, folder: Path, episodes: int, **settings: object) -> Recorded:
        assert (environment, episodes) == ("tabletop-lift", 5)
        assert settings == {"seed": 3, "noise": 0.4, "processes": 2, "only_success": False}
        return Recorded(
            folder=folder, episodes=5, steps=100, new_steps=100, attempts=6, seconds=2.0
        )

    monkeypatch.setattr(recording, "record", record)
    data.record("tabletop-lift", tmp_path, episodes=5, seed=3, all_attempts=True)
    said = capsys.readouterr().out
    assert "holds 5 episodes, 100 steps (6 attempts and 100 steps in 2 s, 50 steps/s)." in said
