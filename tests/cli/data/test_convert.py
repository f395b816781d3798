from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from octoverse.cli.data.convert import convert
from octoverse.data.lerobot.source import LeRobotSource
from octoverse.errors import BadConfig, BadData, UnknownName


def test_convert_says_what_came_of_it(
    drives: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    convert("made_drives", tmp_path / "out", drives, processes=1)
    said = capsys.readouterr().out
    assert "Looking at made_drives" in said and "Converting made_drives" in said
    assert "Checking made_drives" in said and "3/3 episodes" in said and "steps/s" in said
    assert f"{tmp_path}/out holds 3 episodes, 15 steps; every number is equal; 19 encoded" in said
    assert len(LeRobotSource(folder=tmp_path / "out")) == 3


def test_convert_can_make_video_and_says_what_is_lost(
    drives: str, tmp_path: Path, made_data: Any, declare: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    class More(made_data.MadeDrives):  # type: ignore[misc]
        def episode(self, index: int) -> Any:
            episode = super().episode(index)
            return replace(episode, observation={**episode.observation, "smell": [1.0]})

    declare(replace(made_data.MADE_DRIVES, open=lambda folder, split: More(height=64)))
    convert("made_drives", tmp_path / "out", drives, processes=1, video=True)
    said = capsys.readouterr().out
    assert "30 frames of video differ by" in said
    assert "Not in it: 'smell': the body has no such stream." in said


def test_what_cannot_be_converted_is_refused_in_words(
    drives: str, tmp_path: Path, made_data: Any, declare: Any
) -> None:
    with pytest.raises(UnknownName, match=r"named 'made_drive'. Did you mean 'made_drives'"):
        convert("made_drive", tmp_path / "out", drives)
    with pytest.raises(BadConfig, match="processes must be at least 1, got 0"):
        convert("made_drives", tmp_path / "out", drives, processes=0)
    with pytest.raises(BadData, match=r"expected a new folder, or one in which a conversion was"):
        convert("made_drives", tmp_path, drives, processes=1)
    empty = made_data.MadeDrives(sizes=())
    declare(replace(made_data.MADE_DRIVES, open=lambda folder, split: empty))
    with pytest.raises(BadData, match=r"made_drives: the data set has no episode"):
        convert("made_drives", tmp_path / "out", drives)
