from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from octoverse.cli.data import view as command
from octoverse.cli.data.view import view
from octoverse.errors import BadConfig, BadData, UnknownName


def test_view_writes_a_page(
    drives: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    view("made_drives", drives, episode=-1, out=tmp_path / "out/page.html")
    assert "drive-2" in (tmp_path / "out/page.html").read_text()
    assert "kB). Open it in any browser." in capsys.readouterr().out
    monkeypatch.chdir(tmp_path)
    view("made_drives", drives)
    assert "drive-0" in Path("episode.html").read_text()


def test_view_sends_to_rerun(
    drives: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    sent = []
    monkeypatch.setattr(command, "to_rerun", lambda episode, body, out: sent.append((body, out)))
    view("made_drives", drives, rerun=True)
    view("made_drives", drives, rerun=True, out=tmp_path / "x.rrd")
    assert [out for _, out in sent] == [None, tmp_path / "x.rrd"]
    assert "Sent drive-0 to the viewer of Rerun." in capsys.readouterr().out


def test_what_cannot_be_shown_is_refused_in_words(
    drives: str, tmp_path: Path, made_data: Any, declare: Any
) -> None:
    with pytest.raises(BadConfig, match=r"--episode must be from -3 to 2 for 'made_drives', got 3"):
        view("made_drives", drives, episode=3)
    with pytest.raises(BadConfig, match=r"--out must end in .html, got .*x.rrd; .rrd files are ma"):
        view("made_drives", drives, out=tmp_path / "x.rrd")
    with pytest.raises(UnknownName, match=r"named 'made_drive'. Did you mean 'made_drives'"):
        view("made_drive", drives)
    empty = made_data.MadeDrives(sizes=())
    declare(replace(made_data.MADE_DRIVES, open=lambda folder, split: empty))
    with pytest.raises(BadData, match=r"made_drives: the data set has no episode"):
        view("made_drives", drives)
    torn = made_data.MadeDrives(broken=0)
    declare(replace(made_data.MADE_DRIVES, open=lambda folder, split: torn))
    with pytest.raises(BadData, match=r"drive-0.bin: expected a drive, got nothing"):
        view("made_drives", drives)
