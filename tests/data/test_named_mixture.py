from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from octoverse import registry
from octoverse.data.dataset import DataSet
from octoverse.data.named_mixture import NamedMixture, open_mixture
from octoverse.errors import BadConfig, BadData, UnknownName

Write = Callable[..., Path]


def test_bridge_weighs_as_much_as_it_has_frames(tmp_path: Path, write_rlds: Write) -> None:
    write_rlds(tmp_path / "bridge_dataset/1.0.0", (3, 5))
    [bridge] = open_mixture("oxe/bridge_only", str(tmp_path))
    assert bridge.weight == 8 and bridge.source.embodiment == "widowx"


def test_frames_are_multiplied_by_the_factor(
    tmp_path: Path, write_rlds: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    two = NamedMixture(
        name="two", factors=(("oxe/bridge_dataset", 2.0), ("bridge-octo-debug", 0.5))
    )
    found: Any = registry.load
    monkeypatch.setattr(
        registry, "load", lambda kind, name: two if name == "two" else found(kind, name)
    )
    write_rlds(tmp_path / "bridge_dataset/1.0.0", (3, 5))
    write_rlds(tmp_path / "bridge-octo-debug/bridge_dataset/1.0.0", (10,))
    assert [entry.weight for entry in open_mixture("two", f"{tmp_path}/")] == [16.0, 5.0]


def test_a_mixture_is_opened_from_any_address(tmp_path: Path, write_rlds: Write) -> None:
    import fsspec

    folder = write_rlds(tmp_path / "bridge_dataset/1.0.0")
    fsspec.filesystem("memory").put(str(folder), "/soup/bridge_dataset/1.0.0", recursive=True)
    [bridge] = open_mixture("oxe/bridge_only", "memory://soup")
    assert bridge.weight == 8


def test_all_missing_folders_are_named_at_once(tmp_path: Path, write_rlds: Write) -> None:
    write_rlds(tmp_path / "bridge_dataset/1.0.0")
    words = r"expected the 11 data sets of the mixture 'oxe/rtx', found no fractal20220817_data/"
    with pytest.raises(BadData, match=words) as error:
        open_mixture("oxe/rtx", str(tmp_path))
    assert "no toto/0.1.0. Copy them there, or declare a mixture of those you" in str(error.value)
    assert "bridge_dataset" not in str(error.value)


def test_an_unknown_mixture_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match=r"No mixture named 'oxe/bridge_ony'\. Did you mean"):
        open_mixture("oxe/bridge_ony", str(tmp_path))


@pytest.mark.parametrize(
    ("factors", "words"),
    [((), "each once, got none"), ((("a", 1.0), ("b", 1.0), ("a", 2.0)), "each once, got a twice")],
)
def test_a_mixture_names_every_data_set_once(
    factors: tuple[tuple[str, float], ...], words: str
) -> None:
    with pytest.raises(BadConfig, match=words):
        NamedMixture(name="mine", factors=factors)


@pytest.mark.parametrize("name", registry.names("mixture"))
def test_our_mixtures_name_data_sets_that_are_declared(name: str) -> None:
    mixture: NamedMixture = registry.load("mixture", name)
    assert mixture.name == name
    for each, factor in mixture.factors:
        declared: DataSet = registry.load("dataset", each)
        assert declared.name == each and factor > 0
