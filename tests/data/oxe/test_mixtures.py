import importlib.util
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from octoverse.data.dataset import DataSet
from octoverse.data.mixture import Mixture
from octoverse.data.named_mixture import open_mixture
from octoverse.data.oxe.mixtures import BRIDGE_ONLY, MAGIC_SOUP, RTX
from octoverse.data.windows import WindowSpec
from octoverse.preprocess import Preprocess, PreprocessConfig

ELSEWHERE = ("bridge_dataset", "utaustin_mutex", "berkeley_fanuc_manipulation", "cmu_stretch")


def features_of(name: str) -> dict[str, tuple[str, tuple[int, ...]]]:
    """A data set's features, from its own test."""
    path = Path(__file__).with_name(f"test_{name}.py")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: dict[str, tuple[str, tuple[int, ...]]] = module.FEATURES
    return found


def test_weights_are_octo_s() -> None:
    assert len(MAGIC_SOUP.factors) == 25 and len(RTX.factors) == 11
    assert sum(factor for _, factor in MAGIC_SOUP.factors) == pytest.approx(30.77497585143)
    assert sum(factor for _, factor in RTX.factors) == pytest.approx(19.37497585143)
    assert BRIDGE_ONLY.factors == (("oxe/bridge_dataset", 1.0),)


def test_magic_soup_is_drawn_from_all_its_data_sets(
    tmp_path: Path, written: Callable[..., DataSet]
) -> None:
    names = [name.removeprefix("oxe/") for name, _ in MAGIC_SOUP.factors]
    for i, name in enumerate(names):
        features = features_of(name)
        steps = 2 + i % 3
        still = {
            key: np.zeros((steps, *shape), kind.split()[-1])
            for key, (kind, shape) in features.items()
            if key.startswith("steps/") and kind not in ("text", "jpeg", "png float32")
        }
        elsewhere = name in ELSEWHERE or name.endswith("converted_externally_to_rlds")
        converted = "elsewhere" if elsewhere else "" if name == "language_table" else "google"
        written(tmp_path, name, converted, features, still)
    entries = open_mixture("oxe/magic_soup", str(tmp_path))
    assert [entry.weight for entry in entries] == [
        factor * (2 + i % 3) for i, (_, factor) in enumerate(MAGIC_SOUP.factors)
    ]
    small = Preprocess(PreprocessConfig(height=8, width=8))
    mixture = Mixture(entries, WindowSpec(horizon=2), small, batch_size=64)
    drawn = [mixture.next() for _ in range(8)]
    assert {body for batch in drawn for body in batch} == {
        entry.source.embodiment for entry in entries
    }
    assert all(sum(len(some.seeds) for some in batch.values()) == 64 for batch in drawn)
