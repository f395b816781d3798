"""Check the shapes of the model's tensors at run time, in tests only; spare busy machines."""

import hypothesis
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
