import json
from pathlib import Path

import pytest

from octoverse.cli.eval import evaluate
from octoverse.cli.main import run
from octoverse.errors import BadCheckpoint, BadConfig, OctoverseError, UnknownName


@pytest.mark.sim
@pytest.mark.parametrize("where", ["--local", "--robots=1"])
def test_a_checkpoint_is_judged_and_the_file_says_how(
    where: str, small_checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "found/results.json"
    words = ["eval", str(small_checkpoint), "--environments", "tabletop-reach", "--episodes", "2"]
    assert run([*words, where, "--execute", "8", "--out", str(out)]) == 0
    row = json.loads(out.read_text())["arm/reach"]
    assert row["episodes"] == 2 and row["seeds"] == [0, 1]
    assert row["model"].startswith("untrained-") and len(row["fingerprint"]) == 16
    assert row["environment"] == "tabletop-reach" and row["environment_version"] == "0"
    # A small policy's chunk has four rows, and it is played no further.
    assert "every 4 control steps" in row["protocol"] and "torch" in row["versions"]
    local = where == "--local"
    assert row["transport"] == ("in one process" if local else "served over ZeroMQ")
    said = capsys.readouterr().out
    assert "arm/reach" in said and "2 episodes per row" in said and "Written:" in said


def test_what_cannot_be_judged_is_refused_in_words(small_checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(BadCheckpoint, match="does not exist"):
        evaluate(tmp_path / "absent", in_process=True)
    with pytest.raises(OctoverseError, match="does not exist"):
        evaluate(tmp_path / "absent")
    with pytest.raises(UnknownName, match="Did you mean 'tabletop-lift'"):
        evaluate(small_checkpoint, ("tabletop-left",), in_process=True)
    with pytest.raises(BadConfig, match="must be at least 1, got 3, 4 and 0"):
        evaluate(small_checkpoint, episodes=3, execute=0)
