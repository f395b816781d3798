"""The shelves stay reachable and hide no other package; the base install stays light."""

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SHELVES = ["embodiments", "readouts", "servers", "tokenizers"]
ON_THE_ROBOT = [
    "octoverse.acting",
    "octoverse.embodiment",
    "octoverse.episode",
    "octoverse.errors",
    "octoverse.least_squares",
    "octoverse.motion",
    "octoverse.packing",
    "octoverse.registry",
    "octoverse.rotation",
    "octoverse.servers.client",
    "octoverse.session",
    "octoverse.synthetic",
    "octoverse.wire",
]
HEAVY = {
    *("PIL", "av", "gymnasium", "imageio", "jaxtyping", "matplotlib", "mujoco", "pyarrow", "rich"),
    *("safetensors", "tensorboard", "torch", "transformers", "tyro"),
}


@pytest.mark.parametrize("shelf", SHELVES)
def test_a_shelf_is_linked_into_the_package(shelf: str) -> None:
    link = ROOT / "octoverse" / shelf
    assert link.is_symlink(), f"run: ln -s ../{shelf} octoverse/{shelf}"
    assert os.readlink(link) == f"../{shelf}"
    assert link.resolve() == ROOT / shelf


@pytest.mark.parametrize("folder", [*SHELVES, "tests"])
def test_no_init_file_hides_an_installed_package(folder: str) -> None:
    assert not list((ROOT / folder).rglob("__init__.py"))


def test_hugging_face_s_tokenizers_is_found_from_the_root() -> None:
    code = "import tokenizers; tokenizers.Tokenizer; import octoverse.tokenizers"
    done = _python("-c", code, cwd=ROOT)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("shelf", SHELVES)
def test_a_shelf_imports_octoverse_and_no_other_shelf(shelf: str) -> None:
    others = "|".join(name for name in SHELVES if name != shelf)
    for path in (ROOT / shelf).rglob("*.py"):
        found = re.findall(rf"octoverse\.(?:{others})\b", _imports(path))
        assert not found, f"{path.relative_to(ROOT)} imports {found}"


def test_octoverse_never_imports_a_plugin_by_name() -> None:
    # Recipes, the command line and what converts other projects' files bring shelves together.
    bring_together = {"recipes", "cli", "interop", "evaluation", *SHELVES}
    for path in (ROOT / "octoverse").rglob("*.py"):
        if path.relative_to(ROOT / "octoverse").parts[0] in bring_together:
            continue
        found = re.findall(r"octoverse\.(?:embodiments|tokenizers|readouts)\.\w+", _imports(path))
        assert not found, f"{path.relative_to(ROOT)} imports {found}"


@pytest.mark.parametrize("module", ON_THE_ROBOT)
def test_what_runs_on_a_robot_imports_nothing_heavy(module: str) -> None:
    refuse = f"""
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] in {HEAVY!r}:
            raise ModuleNotFoundError(f'{{name}} is not part of the base install', name=name)
sys.meta_path.insert(0, Refuse())
import {module}
"""
    done = _python("-c", refuse)
    assert done.returncode == 0, done.stderr


def test_the_refusal_above_refuses() -> None:
    code = "import sys; sys.modules['torch'] = None; import octoverse.policy"
    assert "torch" in _python("-c", code).stderr


def test_the_base_install_names_the_four_packages_of_a_robot() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {re.split("[<>=!~]", need)[0] for need in project["dependencies"]}
    assert names == {"numpy", "pyzmq", "msgspec", "simplejpeg"}


def test_every_plugin_s_file_is_there() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for group, entries in project["entry-points"].items():
        for name, target in entries.items():
            module = ROOT / target.partition(":")[0].replace(".", "/")
            assert module.with_suffix(".py").exists() or module.is_dir(), f"{group}: {name}"


def test_every_file_of_code_is_tested_by_one_of_its_name() -> None:
    missing = [
        str(path.relative_to(ROOT))
        for shelf in SHELVES
        for path in sorted((ROOT / shelf).rglob("*.py"))
        if not (ROOT / "tests" / path.relative_to(ROOT)).with_name(f"test_{path.name}").exists()
    ]
    assert not missing


def test_every_required_package_is_pinned() -> None:
    pinned = {
        _canonical(line.partition("==")[0])
        for line in (ROOT / "requirements/constraints.txt").read_text().split()
    }
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [
        *extras["dependencies"],
        *(
            need
            for extra in ("policy", "rlds", "sim", "language", "dev")
            for need in extras["optional-dependencies"][extra]
        ),
    ]
    names = {_canonical(re.split(r"[<>=!~;\[]", need)[0]) for need in wanted} - {"octoverse"}
    assert names - pinned == set()


@pytest.mark.slow
def test_the_wheel_holds_every_room_and_no_tests(tmp_path: Path) -> None:
    done = _python(
        *("-m", "pip", "wheel", "--no-deps", "--no-build-isolation"),
        *("--wheel-dir", str(tmp_path), str(_checkout(tmp_path / "source"))),
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("octoverse-*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())
    wanted = {
        path
        for path in _tracked("octoverse")
        if path.endswith((".py", ".typed", ".xml", ".json", ".safetensors", ".md", ".template"))
    }
    wanted |= {f"octoverse/{path}" for shelf in SHELVES for path in _tracked(shelf)}
    assert "octoverse/py.typed" in wanted
    assert wanted - held == set()
    outside = {name for name in held if not name.startswith("octoverse/")}
    assert all(".dist-info/" in name for name in outside), outside
    assert not any("test" in Path(name).name for name in held if name.endswith(".py"))


def _python(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, cwd=cwd, timeout=300
    )


def _imports(path: Path) -> str:
    lines = path.read_text().splitlines()
    return "\n".join(line for line in lines if re.match(r"\s*(from|import) ", line))


def _tracked(folder: str) -> list[str]:
    done = subprocess.run(
        ["git", "ls-files", folder], capture_output=True, text=True, cwd=ROOT, check=True
    )
    return [line for line in done.stdout.splitlines() if not (ROOT / line).is_symlink()]


def _checkout(target: Path) -> Path:
    """A copy of what is tracked: a build must not leave anything in the tree."""
    for name in ["pyproject.toml", "README.md", "LICENSE", *map(str, ["octoverse", *SHELVES])]:
        for path in _tracked(name):
            place = target / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes((ROOT / path).read_bytes())
    for shelf in SHELVES:
        (target / "octoverse" / shelf).symlink_to(f"../{shelf}")
    return target


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
