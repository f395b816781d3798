import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from octoverse.data import gathering
from octoverse.data.gathering import gather
from octoverse.errors import BadData

GATHER = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
import made_data
from octoverse.data import gathering

gathering.SAVE_SECONDS = 0.0
moments = made_data.killed_at(int(sys.argv[3]))
gathering.gather(made_data.MadeDrives(sizes=(5,) * 200), Path(sys.argv[2]))
print(moments())
"""


def bits(parts: Any) -> dict[str, bytes]:
    return {
        f"{key}/{name}": array.tobytes()
        for key, part in parts.items()
        for name, array in part.arrays().items()
    }


def test_the_number_of_processes_changes_no_bit(made_data: Any, tmp_path: Path) -> None:
    source = made_data.MadeDrives(sizes=(3, 5) * 30)
    alone = gather(source, tmp_path / "alone")
    pair = gather(source, tmp_path / "pair", processes=2)
    assert bits(alone) == bits(pair)
    (first,), (second,) = (tmp_path / "alone").iterdir(), (tmp_path / "pair").iterdir()
    assert first.name == second.name and first.read_bytes() == second.read_bytes()


def test_gathering_that_was_stopped_goes_on_where_it_was(
    made_data: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathering, "SAVE_SECONDS", 0.0)
    whole = gather(made_data.MadeDrives(sizes=(4,) * 50), tmp_path / "whole")
    torn = made_data.MadeDrives(sizes=(4,) * 50, broken=40)
    with pytest.raises(BadData, match=r"drive-40.bin: expected a drive, got nothing"):
        gather(torn, tmp_path / "parts")
    assert [path.suffixes for path in (tmp_path / "parts").iterdir()] == [[".begun", ".npz"]]

    class Rest(made_data.MadeDrives):  # type: ignore[misc]
        def episode(self, index: int) -> Any:
            assert index >= 32, "what was gathered must not be read again"
            return super().episode(index)

    assert bits(gather(Rest(sizes=(4,) * 50), tmp_path / "parts")) == bits(whole)
    (left,), (right,) = (tmp_path / "parts").iterdir(), (tmp_path / "whole").iterdir()
    assert left.name == right.name and left.read_bytes() == right.read_bytes()


def test_killed_at_any_moment_it_ends_with_the_same_bytes(made_data: Any, tmp_path: Path) -> None:
    def run(folder: str, moment: int = 0) -> "subprocess.CompletedProcess[bytes]":
        command = [sys.executable, "-c", GATHER, str(Path(__file__).parent)]
        return subprocess.run(
            [*command, str(tmp_path / folder), str(moment)], stdout=subprocess.PIPE
        )

    moments, begun = int(run("whole").stdout), list[Path]()
    for moment in np.random.default_rng(0).integers(moments // 6, moments // 3, 3):
        assert run("killed", int(moment)).returncode == -signal.SIGKILL
        begun += tmp_path.glob("killed/*.begun.npz")
    assert begun
    assert run("killed").returncode == 0
    whole = {path.name: path.read_bytes() for path in (tmp_path / "whole").iterdir()}
    killed = {path.name: path.read_bytes() for path in (tmp_path / "killed").iterdir()}
    assert {name: killed[name] for name in whole} == whole
    assert not [name for name in killed if name.endswith(".begun.npz")]


def test_masked_rows_are_left_out_whatever_they_hold(made_data: Any) -> None:
    parts = gather(made_data.MadeDrives())
    assert len(parts["observation/speed"]) == 12 and len(parts["action/path"]) == 15 * 63
    assert set(parts) == {"observation/speed", "observation/ego_history", "action/path"}


def test_what_was_kept_and_cannot_be_read_is_named(made_data: Any, tmp_path: Path) -> None:
    gather(made_data.MadeDrives(), tmp_path)
    (kept,) = tmp_path.iterdir()
    kept.write_bytes(kept.read_bytes()[:100])
    with pytest.raises(BadData, match=r"npz: expected statistics that were kept, got: .*Delete"):
        gather(made_data.MadeDrives(), tmp_path)


def test_numbers_of_another_size_are_named(made_data: Any) -> None:
    class Wide(made_data.MadeDrives):  # type: ignore[misc]
        def episode(self, index: int) -> Any:
            episode = super().episode(index)
            wide = {**episode.observation, "speed": np.zeros((len(episode), 2))}
            return replace(episode, observation=wide)

    with pytest.raises(
        BadData, match="'made_drives', episode drive-0: 'speed': Expected rows of 1"
    ):
        gather(Wide())


def test_bad_episodes_are_left_out_and_named_when_asked(
    made_data: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torn = made_data.MadeDrives(sizes=(4,) * 20, broken=17)
    found = gather(torn, tmp_path, skip_bad=True)
    whole = gather(made_data.MadeDrives(sizes=(4,) * 20))
    assert len(found["action/path"]) == len(whole["action/path"]) - 4 * 63
    said = " ".join(capsys.readouterr().out.split())
    assert "left out of the statistics: drive-17.bin: expected a drive, got nothing" in said
    with pytest.raises(BadData, match=r"drive-17.bin: expected a drive"):
        gather(torn, tmp_path)
