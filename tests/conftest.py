"""Check the shapes of the model's tensors at run time, in tests only; spare busy machines.

Tests on real recordings ask for `real_data`: the folder in OCTOVERSE_DATA, or shared/data beside
the repository. Tests of model and training ask for `small`: the module tests/small.py.
"""

import importlib.util
import os
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest
from jaxtyping import install_import_hook

if TYPE_CHECKING:
    from octoverse.data.dataset import DataSet

MODEL = (
    "batch",
    "noise",
    "policy",
    "readout",
    "readouts",
    "tokenizer",
    "tokenizers",
    "tokens",
    "trunk",
    "vision",
)

install_import_hook([f"octoverse.{module}" for module in MODEL], "beartype.beartype")
hypothesis.settings.register_profile("octoverse", deadline=None, derandomize=True)
hypothesis.settings.load_profile("octoverse")


@pytest.fixture
def real_data() -> Callable[[str], Path]:
    """Gives the folder of a real recording by name; skips the test where it is absent."""
    root = Path(__file__).resolve().parents[1] / "../shared/data"
    root = Path(os.environ.get("OCTOVERSE_DATA", root))

    def find(name: str) -> Path:
        if not (root / name).is_dir():
            pytest.skip(f"needs the recording '{name}': set OCTOVERSE_DATA to the folder with it")
        return root / name

    return find


@pytest.fixture
def made_data(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Gives tests/data/made_data.py: a source with everything; worker processes find it too."""
    monkeypatch.syspath_prepend(str(Path(__file__).with_name("data")))
    return import_module("made_data")


@pytest.fixture
def declare(monkeypatch: pytest.MonkeyPatch) -> "Callable[[DataSet], None]":
    """Makes a data set known by its name, and all others unknown."""
    from octoverse import registry

    names, load = registry.names, registry.load
    known: dict[str, Any] = {}
    monkeypatch.setattr(
        registry, "names", lambda kind: sorted(known) if kind == "dataset" else names(kind)
    )
    monkeypatch.setattr(
        registry,
        "load",
        lambda kind, name: known[name] if kind == "dataset" and name in known else load(kind, name),
    )

    def use(data_set: "DataSet") -> None:
        known[data_set.name] = data_set

    return use


@pytest.fixture(autouse=True)
def no_one_s_cache(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keep what the command line remembers of data out of the home of whoever runs the tests."""
    folder = tmp_path_factory.getbasetemp() / "cache"
    monkeypatch.setattr("octoverse.cli.cache.cache_folder", lambda: folder)


@pytest.fixture(scope="session")
def small() -> ModuleType:
    """Gives tests/small.py: a small policy and data for it."""
    return load_small()


def load_small() -> ModuleType:
    """Import tests/small.py, once per process, though tests are no package."""
    if "small" not in sys.modules:
        spec = importlib.util.spec_from_file_location("small", Path(__file__).with_name("small.py"))
        assert spec is not None and spec.loader is not None
        sys.modules["small"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules["small"])
    return sys.modules["small"]
