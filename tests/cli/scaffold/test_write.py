import importlib.util
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

from octoverse.cli.scaffold.write import write_package
from octoverse.embodiment import Embodiment
from octoverse.errors import BadConfig
from octoverse.synthetic import random_frame


def test_the_package_is_complete(tmp_path: Path) -> None:
    folder = write_package("my_arm", tmp_path)
    written = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    assert written == [
        "README.md",
        "octoverse_my_arm/__init__.py",
        "octoverse_my_arm/embodiment.py",
        "pyproject.toml",
        "tests/test_embodiment.py",
    ]
    assert not any("$" in path.read_text() for path in folder.rglob("*.*") if path.is_file())


def test_its_entry_point_names_a_body_that_holds_together(tmp_path: Path) -> None:
    folder = write_package("my_arm", tmp_path)
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    assert project["entry-points"] == {
        "octoverse.embodiments": {"my_arm": "octoverse_my_arm.embodiment:MY_ARM"}
    }
    spec = importlib.util.spec_from_file_location(
        "written", folder / "octoverse_my_arm/embodiment.py"
    )
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    body: Embodiment = module.MY_ARM
    assert body.name == "my_arm"
    body.check_frame(random_frame(body, np.random.default_rng(0)))


@pytest.mark.parametrize("check", [("check", "--select=E,F,UP,B,RUF"), ("format", "--check")])
def test_what_is_written_is_well_formed(check: tuple[str, ...], tmp_path: Path) -> None:
    folder = write_package("my_arm", tmp_path)
    ruff = [sys.executable, "-m", "ruff", *check, "--isolated", "--line-length=100", "--no-cache"]
    done = subprocess.run([*ruff, folder], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", ["My", "1arm", "my-arm", "", "lambda", "_arm", "a" * 41, "../up"])
def test_a_name_that_cannot_be_one_is_refused(name: str, tmp_path: Path) -> None:
    words = (
        "name must be lower case letters, digits and _, start with a letter and have at most 40 "
        f"of them, got '{name}'. For example: my_arm."
    )
    with pytest.raises(BadConfig, match=re.escape(words)):
        write_package(name, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_name_that_is_taken_is_refused(tmp_path: Path) -> None:
    words = "name: 'panda' is taken by the package 'octoverse'. Choose another name."
    with pytest.raises(BadConfig, match=re.escape(words)):
        write_package("panda", tmp_path)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "octoverse-my-arm").mkdir()
    with pytest.raises(BadConfig, match=r"octoverse-my-arm exists already. Remove it, or choose"):
        write_package("my_arm", tmp_path)
