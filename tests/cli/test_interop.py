import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from octoverse import checkpoint
from octoverse.cli.main import run


@pytest.fixture
def made_octo(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """tests/interop/made_octo.py: checkpoint folders with random parameters."""
    path = Path(__file__).parents[1] / "interop/made_octo.py"
    spec = importlib.util.spec_from_file_location("made_octo", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(__import__("sys").modules, "made_octo", module)
    spec.loader.exec_module(module)
    return module


def test_an_octo_checkpoint_becomes_one_of_ours(
    made_octo: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = made_octo.write(tmp_path / "octo")
    assert run(["import", "octo", str(folder), str(tmp_path / "ours")]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "ours: octo@300000-" in shown and "for widowx, 0.2 M parameters." in shown
    assert "It takes no instruction in words: it was trained on embeddings" in shown
    policy = checkpoint.load(tmp_path / "ours")
    held = made_octo.parameters(made_octo.TINY)["octo_transformer/obs_wrist_projection/bias"]
    assert np.array_equal(policy.state_dict()["tokenizers.image/wrist.project.bias"], held)


def test_a_frozen_encoder_is_told_apart_and_words_need_its_tokenizer(
    made_octo: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes = made_octo.Sizes(**{**vars(made_octo.TINY), "t5": True})
    folder = made_octo.write(tmp_path / "octo", sizes)
    command = ["import", "octo", str(folder), str(tmp_path / "ours"), "--embodiment", "widowx"]
    assert run([*command, "--data-set", "bridge_dataset", "--step", "300000"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "0.2 M parameters and 0.0 M of its frozen language encoder." in shown
    assert "in words: give the folder of its tokenizer with --tokenizer." in shown


def test_what_cannot_be_imported_is_told_in_words(
    made_octo: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = made_octo.write(tmp_path / "octo")
    (folder / "dataset_statistics.json").unlink()
    assert run(["import", "octo", str(folder), str(tmp_path / "ours")]) == 1
    shown = capsys.readouterr().err
    assert "octo: expected dataset_statistics.json, found none. The checkpoint is inc" in shown
    assert not (tmp_path / "ours").exists()
