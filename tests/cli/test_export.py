from pathlib import Path

import pytest
import torch

from octoverse import checkpoint
from octoverse.cli.main import run


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
