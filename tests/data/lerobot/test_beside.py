from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from octoverse import registry
from octoverse.data.lerobot import beside
from octoverse.data.lerobot.source import LeRobotSource
from octoverse.data.lerobot.writer import LeRobotWriter
from octoverse.errors import BadData

CAR = registry.load("embodiment", "passenger_car")
PATH = "meta/octoverse/chunk-000/file-000.parquet"


def write(folder: Path, *episodes: Any) -> LeRobotSource:
    with LeRobotWriter(folder, CAR) as writer:
        for episode in episodes:
            writer.add(episode)
    return LeRobotSource(folder=folder)


def test_what_lerobot_has_no_features_for_is_read_back(made_data: Any, tmp_path: Path) -> None:
    given = made_data.MadeDrives().episode(0)
    plain = replace(given, key="plain", calibration={}, tracks=None, questions=())
    source = write(tmp_path, plain, given)
    assert source.episode(0).calibration == {} and source.episode(0).tracks is None
    got = source.episode(1)
    assert got.calibration == given.calibration and got.questions == given.questions
    assert got.tracks is not None and got.tracks.identity.tolist() == ["a", "a"]


def test_nothing_is_written_where_there_is_nothing_of_it(made_data: Any, tmp_path: Path) -> None:
    given = made_data.MadeDrives().episode(0)
    source = write(tmp_path, replace(given, calibration={}, tracks=None, questions=()))
    assert not (tmp_path / PATH).exists()
    assert source.episode(0).questions == ()


def test_no_agent_at_all_is_not_the_same_as_no_tracks(made_data: Any, tmp_path: Path) -> None:
    given = made_data.MadeDrives().episode(0)
    none = {name: getattr(given.tracks, name)[:0] for name in vars(given.tracks)}
    source = write(tmp_path, replace(given, tracks=replace(given.tracks, **none)))
    got = source.episode(0).tracks
    assert got is not None and got.pose.shape == (0, 3) and got.identity.shape == (0,)


def test_a_damaged_file_is_named(made_data: Any, tmp_path: Path) -> None:
    source = write(tmp_path, made_data.MadeDrives().episode(0))
    (tmp_path / PATH).write_bytes(b"torn")
    with pytest.raises(BadData, match=r"octoverse/chunk-000/file-000.parquet: expected a parquet"):
        source.episode(0)


def test_older_tables_of_episodes_say_nothing_of_it(tmp_path: Path) -> None:
    assert beside.read(tmp_path, {}, 0) == {}
