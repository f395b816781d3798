"""Check the shapes of the model's tensors at run time, in tests only; spare busy machines.

Tests on real recordings ask for `real_data`: the folder in OCTOVERSE_DATA, or shared/data beside
the repository.
"""

import os
from collections.abc import Callable
from pathlib import Path

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
