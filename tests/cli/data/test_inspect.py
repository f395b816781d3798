from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from octoverse.cli.data.inspect import inspect
from octoverse.errors import BadConfig, BadData, UnknownName

Said = Callable[[], str]


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Said:
    return lambda: " ".join(capsys.readouterr().out.split())


def test_inspect_says_what_a_data_set_holds(drives: str, said: Said) -> None:
    inspect("made_drives", drives)
    shown = said()
    assert "made_drives: 3 episodes of 'passenger_car', 15 steps (0.0 min at 10 Hz); 4 to" in shown
    assert "irregular: steps of 8" in shown
    assert "front │ camera │ JPEG 24 x 32 │ 100 %" in shown
    assert "speed │ state │ speed │ 80 %" in shown
    assert "path │ waypoints (action) │ x, y, heading │ 98.44 %" in shown
    assert "instruction: 2 different: turn [0]; turn [1]." in shown
    assert "Calibration of front in 3 episodes." in shown
    assert "Other agents: 6 boxes (6 vehicle)." in shown
    assert "Questions with answers: 3 planning." in shown
    assert "Looked at" not in shown


def test_inspect_says_what_is_absent(drives: str, said: Said) -> None:
    inspect("made_drives", drives)
    shown = said()
    assert "side_left │ camera │ absent" in shown
    assert "cross_left │ camera │ JPEG 24 x 32; absent in 2 episodes │" in shown


def test_inspect_says_how_much_it_looked_at(drives: str, said: Said) -> None:
    inspect("made_drives", drives, episodes=2)
    assert "Looked at 2 of 3 episodes; --episodes 0 looks at all." in said()
    inspect("made_drives", drives, split="val", episodes=0)
    assert "1 episode of 'passenger_car', 3 steps" in said()


def test_a_root_may_come_from_the_environment(
    drives: str, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OCTOVERSE_DATA", drives)
    inspect("made_drives")
    assert "3 episodes" in said()


def test_an_undeclared_folder_is_guessed_at(
    tmp_path: Path, write_bridge: Callable[[Path], Path], said: Said
) -> None:
    folder = write_bridge(tmp_path / "mine")
    (folder / "meta/octoverse.json").unlink()
    inspect(str(folder))
    shown = said()
    assert "is a LeRobot data set that is not declared." in shown
    assert "BODY = Embodiment(" in shown and "STANDARD = Standard(" in shown


def test_another_rate_than_the_body_s_is_told(
    drives: str, made_data: Any, declare: Any, said: Said
) -> None:
    class Slow(made_data.MadeDrives):  # type: ignore[misc]
        def episode(self, index: int) -> Any:
            episode = super().episode(index)
            return replace(episode, times_ns=episode.times_ns[0] + 3 * episode.times_ns)

    declare(replace(made_data.MADE_DRIVES, open=lambda folder, split: Slow()))
    inspect("made_drives", drives)
    assert "The body is declared at 10 Hz." in said()


def test_one_step_has_no_clock(drives: str, made_data: Any, declare: Any, said: Said) -> None:
    short = made_data.MadeDrives(sizes=(2,))

    class Short(made_data.MadeDrives):  # type: ignore[misc]
        def episode(self, index: int) -> Any:
            episode = short.episode(index)
            return replace(episode, times_ns=episode.times_ns[:1])

    declare(replace(made_data.MADE_DRIVES, open=lambda folder, split: Short(sizes=(1,))))
    inspect("made_drives", drives)
    assert "Clock: cannot be told from episodes of one step." in said()


def test_a_data_set_without_episodes_is_named(drives: str, made_data: Any, declare: Any) -> None:
    empty = made_data.MadeDrives(sizes=())
    declare(replace(made_data.MADE_DRIVES, open=lambda folder, split: empty))
    with pytest.raises(BadData, match=r"made_drives: the data set has no episode. Record or fetch"):
        inspect("made_drives", drives)


def test_names_that_do_not_exist_are_refused(drives: str, tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match=r"No data set or folder named 'made_drive'. Did you"):
        inspect("made_drive", drives)
    with pytest.raises(UnknownName, match=r"No split of 'made_drives' named 'test'. Known: train"):
        inspect("made_drives", drives, split="test")
    with pytest.raises(BadConfig, match="the data set 'made_drives' needs --root FOLDER"):
        inspect("made_drives")
    with pytest.raises(BadData, match=r"expected a data set, found none of meta/info.json"):
        inspect(str(tmp_path))
