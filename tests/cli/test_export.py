from pathlib import Path
from types import ModuleType

import msgspec
import pytest
import torch

from octoverse import checkpoint
from octoverse.cli.main import run
from octoverse.policy import Policy


def _bytes(folder: Path) -> int:
    return (folder / "model.safetensors").stat().st_size


def test_half_precision_halves_the_file_and_keeps_the_weights(
    small_checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    exact, half = tmp_path / "exact", tmp_path / "half"
    assert run(["export", str(small_checkpoint), str(exact)]) == 0
    assert run(["export", str(small_checkpoint), str(half), "--precision", "float16"]) == 0
    assert _bytes(half) < 0.6 * _bytes(exact)
    assert "untrained-" in capsys.readouterr().out
    ours, theirs = checkpoint.load(small_checkpoint), checkpoint.load(half)
    assert ours.model != theirs.model
    for key, value in ours.state_dict().items():
        assert torch.equal(checkpoint.load(exact).state_dict()[key], value)
        assert torch.equal(theirs.state_dict()[key], value.half().float())


def test_nothing_is_overwritten(
    small_checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["export", str(small_checkpoint), str(tmp_path)]) == 1
    assert "exists. Give another folder, or move it away." in capsys.readouterr().err


def test_of_data_sets_that_are_kept_apart_one_is_served(
    small: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = {name: small.statistics(body) for name, body in small.BODIES.items()}
    arm = found["tabletop_arm"]
    sets = {name: msgspec.structs.replace(arm, of=name) for name in ("a", "b")}
    found["tabletop_arm"] = msgspec.structs.replace(arm, apart=sets)
    checkpoint.save(Policy(small.config(), small.BODIES, found), tmp_path / "apart")
    assert run(["serve", str(tmp_path / "apart"), "--address", "tcp://127.0.0.1:0"]) == 1
    assert "(a, b): expected one of them with --statistics, got none" in capsys.readouterr().err
    command = ["export", str(tmp_path / "apart"), str(tmp_path / "one"), "--statistics", "b"]
    assert run(command) == 0
    loaded = checkpoint.load(tmp_path / "one")
    assert loaded.body_statistics["tabletop_arm"].of == "b"
    assert loaded.statistics.startswith("tabletop_arm b ")
    loaded.act([small.window("tabletop_arm", 0).observation])
