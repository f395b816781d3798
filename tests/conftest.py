"""Check the shapes of the model's tensors at run time, in tests only; spare busy machines.

Tests on real recordings ask for `real_data`: the folder in OCTOVERSE_DATA, or shared/data beside
the repository. Tests of model and training ask for `small`: the module tests/small.py.
"""

import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import hypothesis
import pytest
from jaxtyping import install_import_hook

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
