from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from octoverse.cli.data.stats import stats
from octoverse.data.statistics import statistics_of
from octoverse.errors import BadConfig, BadData, UnknownName
from octoverse.normalize import BodyStatistics


@pytest.fixture
def said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[[], str]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return lambda: " ".join(capsys.readouterr().out.split())


def test_stats_shows_every_number_with_its_unit(drives: str, said: Callable[[], str]) -> None:
    stats(("made_drives",), drives)
    shown = said()
    assert "passenger_car: made_drives (" in shown
    assert "speed (state), 12 rows speed m/s" in shown
    assert "path (waypoints), 945 rows x m" in shown and "min" in shown
    assert "3/3 episodes" in shown and "steps/s" in shown


def test_a_narrow_terminal_shows_fewer_numbers_whole(
    drives: str, said: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    stats(("made_drives",), drives)
    shown = said()
    assert "99 %" in shown and "max" not in shown and "…" not in shown


def test_stats_says_what_is_guarded_and_what_is_left_alone(
    tmp_path: Path, write_bridge: Callable[[Path], Path], said: Callable[[], str]
) -> None:
    stats((str(write_bridge(tmp_path / "bridge")),))
    shown = said()
    assert "opening 1 0." in shown and "left alone" in shown
    assert "dx m 0.001 0.001 0.001" in shown and "guarded" in shown


def test_stats_are_written_as_a_checkpoint_has_them(
    drives: str, made_data: Any, tmp_path: Path, said: Callable[[], str]
) -> None:
    stats(("made_drives",), drives, out=tmp_path / "out.json")
    found = msgspec.json.decode(
        (tmp_path / "out.json").read_bytes(), type=dict[str, BodyStatistics]
    )
    assert found == {"passenger_car": statistics_of(made_data.MadeDrives())}
    assert "Written: " in said()


def test_stats_are_kept_for_the_next_time(
    drives: str, tmp_path: Path, made_data: Any, declare: Any, said: Callable[[], str]
) -> None:
    stats(("made_drives",), drives)
    first = said()
    assert len(list((tmp_path / "cache/octoverse/statistics").iterdir())) == 1
    torn = made_data.MadeDrives(stamp="train", broken=1)
    declare(replace(made_data.MADE_DRIVES, open=lambda folder, split: torn))
    stats(("made_drives",), drives)
    assert said()[-300:] == first[-300:]


def test_data_sets_of_a_body_are_merged_or_kept_apart(
    drives: str, made_data: Any, declare: Any, said: Callable[[], str]
) -> None:
    other = made_data.MadeDrives(name="others", sizes=(9,), shift=3.0)
    declare(replace(made_data.MADE_DRIVES, name="others", open=lambda folder, split: other))
    stats(("made_drives", "others"), drives, apart=True)
    shown = said()
    assert "passenger_car: made_drives, others (" in shown
    assert "passenger_car: made_drives alone (" in shown
    assert "passenger_car: others alone (" in shown


def test_what_cannot_be_gathered_is_refused_in_words(
    drives: str, made_data: Any, declare: Any, said: Callable[[], str]
) -> None:
    with pytest.raises(UnknownName, match=r"named 'made_drive'. Did you mean 'made_drives'"):
        stats(("made_drive",), drives)
    with pytest.raises(BadConfig, match="processes must be at least 1, got 0"):
        stats(("made_drives",), drives, processes=0)

    class Torn(made_data.MadeDrives):  # type: ignore[misc]
        def episode(self, index: int) -> Any:
            episode = super().episode(index)
            np.asarray(episode.observation["speed"])[2] = np.nan
            return episode

    declare(replace(made_data.MADE_DRIVES, open=lambda folder, split: Torn(stamp="torn")))
    with pytest.raises(BadData, match=r"'made_drives', episode drive-0: 'speed': Expected finite"):
        stats(("made_drives",), drives)
    empty = made_data.MadeDrives(sizes=())
    declare(replace(made_data.MADE_DRIVES, open=lambda folder, split: empty))
    with pytest.raises(BadData, match=r"made_drives: the data set has no episode"):
        stats(("made_drives",), drives)
