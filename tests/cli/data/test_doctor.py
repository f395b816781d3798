import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from octoverse import registry
from octoverse.cli.main import run
from octoverse.data.lerobot.writer import LeRobotWriter
from octoverse.episode import Episode


def drive(number: int) -> Episode:
    rng = np.random.default_rng(number)
    curves = np.sin(np.arange(40)[:, None] * rng.uniform(0.1, 0.3, 2) + rng.uniform(0, 6, 2))
    return Episode(
        embodiment="rc_car",
        source="made",
        key=str(number),
        times_ns=np.round((np.arange(40) + rng.normal(0, 0.01, 40)) * 5e7).astype(np.int64),
        observation={
            "front": rng.integers(0, 256, (40, 12, 16, 3), np.uint8),
            "instruction": ["keep left" if number % 2 else "keep right"] * 40,
        },
        action={"pedals": curves.astype(np.float32)},
    )


def write(folder: Path, episodes: list[Episode]) -> str:
    with LeRobotWriter(folder, registry.load("embodiment", "rc_car")) as writer:
        for episode in episodes:
            writer.add(episode)
    return str(folder)


@pytest.fixture
def clean(tmp_path: Path) -> str:
    return write(tmp_path / "clean", [drive(0), drive(1)])


def test_nothing_wrong_leaves_with_0(clean: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["data", "doctor", clean]) == 0
    said = capsys.readouterr().out
    assert "Looked at 2 of 2 episodes, 80 of 80 steps" in said
    assert "clean: no faults, no suspicions; 1 thing cannot be told from the data." in said


def test_a_fault_leaves_with_1_and_is_told_in_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    black = [
        replace(one, observation={**one.observation, "front": np.zeros((40, 12, 16, 3), np.uint8)})
        for one in (drive(0), drive(1))
    ]
    assert run(["data", "doctor", write(tmp_path / "black", black)]) == 1
    said = capsys.readouterr().out
    assert "FAULT" in said and "images looked at are black" in said
    assert "cure: Declare the camera absent where it saw nothing." in said


def test_what_cannot_be_read_leaves_with_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["data", "doctor", str(tmp_path)]) == 2
    assert "expected a" in capsys.readouterr().err


def test_the_report_can_be_had_as_json(clean: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["data", "doctor", clean, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["embodiment"] == "rc_car" and report["looked"]["steps"] == 80
    assert {finding["severity"] for finding in report["findings"]} == {
        "cannot be told",
        "information",
    }


def test_another_data_set_is_held_against_it(
    clean: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = write(tmp_path / "other", [drive(2), drive(1)])
    assert run(["data", "doctor", clean, "--against", other]) == 1
    assert "1 of 2 episodes are in 'other', 1 of its 2 are here" in capsys.readouterr().out


def test_less_can_be_looked_at(clean: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["data", "doctor", clean, "--episodes", "1", "--images", "4"]) == 0
    assert "Looked at 1 of 2 episodes, 40 of 80 steps and 4 images" in capsys.readouterr().out


def test_the_splits_of_a_declared_data_set_are_held_against_each_other(
    real_data: object, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = real_data("bridge-octo-debug")  # type: ignore[operator]
    assert run(["data", "doctor", "oxe/bridge_dataset", "--root", str(folder)]) == 1
    assert "None of 15 episodes here is among 5 of" in " ".join(capsys.readouterr().out.split())


def test_a_folder_named_like_a_data_set_is_not_taken_for_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["data", "doctor", write(tmp_path / "donkeycar-tub/tub", [drive(0)])]) == 0
