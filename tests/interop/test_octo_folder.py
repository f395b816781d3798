import shutil
from pathlib import Path
from typing import Any

import pytest

from octoverse.errors import BadData
from octoverse.interop.octo_folder import read_folder


def test_a_folder_holds_config_statistics_shapes_and_parameters(
    made_octo: Any, tmp_path: Path
) -> None:
    found = read_folder(made_octo.write(tmp_path / "octo"))
    assert found.step == 300_000 and "model" in found.config
    assert found.shapes["observation/image_wrist"] == (2, 2, 32, 32, 3)
    assert set(found.parameters) == set(made_octo.shapes(made_octo.TINY))
    assert list(found.statistics) == ["bridge_dataset"]


def test_the_newest_step_is_meant_unless_one_is_named(made_octo: Any, tmp_path: Path) -> None:
    folder = made_octo.write(tmp_path / "octo", step=90_000)
    shutil.copytree(folder / "90000", folder / "100000")
    (folder / "notes").mkdir()
    assert read_folder(folder).step == 100_000
    assert read_folder(folder, 90_000).step == 90_000
    with pytest.raises(BadData, match=r"octo: expected step 5, found 90000, 100000. Name one of"):
        read_folder(folder, 5)


@pytest.mark.parametrize(
    "part", ["config.json", "dataset_statistics.json", "example_batch.msgpack"]
)
def test_a_missing_file_is_named(made_octo: Any, tmp_path: Path, part: str) -> None:
    folder = made_octo.write(tmp_path / "octo")
    (folder / part).unlink()
    with pytest.raises(BadData, match=f"octo: expected {part}.* found none. The checkpoint is inc"):
        read_folder(folder)


def test_missing_folders_are_named(made_octo: Any, tmp_path: Path) -> None:
    with pytest.raises(BadData, match="none: expected the folder of an Octo checkpoint, found no"):
        read_folder(tmp_path / "none")
    folder = made_octo.write(tmp_path / "octo")
    shutil.rmtree(folder / "300000/default")
    with pytest.raises(BadData, match="300000/default: expected the parameters of this step"):
        read_folder(folder)
    (folder / "300000").rmdir()
    with pytest.raises(BadData, match="octo: expected a folder for each step, such as 300000"):
        read_folder(folder)


@pytest.mark.parametrize(
    ("text", "words"),
    [("{", r"config\.json: expected JSON, got something else"), ("[]", "by name, got list")],
)
def test_a_damaged_file_is_named(made_octo: Any, tmp_path: Path, text: str, words: str) -> None:
    folder = made_octo.write(tmp_path / "octo")
    (folder / "config.json").write_text(text)
    with pytest.raises(BadData, match=words):
        read_folder(folder)


def test_what_was_called_tasks_is_called_task(made_octo: Any, tmp_path: Path) -> None:
    folder = made_octo.write(tmp_path / "octo")
    given = made_octo.inputs(made_octo.TINY)
    old = {name.replace("task/", "tasks/"): value for name, value in given.items()}
    (folder / "example_batch.msgpack").write_bytes(made_octo.packed(old))
    assert "task/image_primary" in read_folder(folder).shapes
