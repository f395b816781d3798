from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from octoverse import registry
from octoverse.cli.data.mix import mix
from octoverse.data.named_mixture import NamedMixture
from octoverse.errors import BadConfig, BadData, UnknownName


@pytest.fixture
def said(
    drives: str, monkeypatch: pytest.MonkeyPatch, small: ModuleType, capsys: Any
) -> Callable[[], str]:
    """What was printed; "soup" is a mixture, and "made" a recipe."""
    names, load = registry.names, registry.load
    soup = NamedMixture(name="soup", factors=(("made_drives", 2.0),))
    known: dict[tuple[str, str], Any] = {
        ("mixture", "soup"): soup,
        ("recipe", "made"): lambda data=None: small.recipe(),
    }
    monkeypatch.setattr(
        registry,
        "names",
        lambda kind: (
            [n for k, n in known if k == kind] if kind in ("mixture", "recipe") else names(kind)
        ),
    )
    monkeypatch.setattr(
        registry, "load", lambda kind, name: known.get((kind, name)) or load(kind, name)
    )
    return lambda: " ".join(capsys.readouterr().out.split())


def test_mix_tells_what_a_mixture_delivers(drives: str, said: Callable[[], str]) -> None:
    mix("soup", Path(drives), image_size=64, batch_size=15, steps=100)
    shown = said()
    assert "soup: epochs are those of 100 steps of 15 samples." in shown
    assert "made_drives passenger_car 3 15 0.000417 30 100 % 100" in shown
    assert "A step of 15 samples takes" in shown and "5 are held at a time" in shown
    assert "All images decoded at this size would take" in shown


def test_mix_tells_what_a_recipe_delivers(said: Callable[[], str]) -> None:
    mix("made")
    shown = said()
    assert "made: epochs are those of 10,000 steps of 6 samples." in shown
    assert "made tabletop_arm 3 17" in shown and "made road_car 2 13" in shown
    assert "50 %" in shown and "The recipe gives 6.44 GB (memory_gb): all are kept." in shown


def test_what_is_no_mixture_is_refused_in_words(
    drives: str, said: Callable[[], str], tmp_path: Path
) -> None:
    words = r"No recipe or mixture named 'soop'. Did you mean 'soup'\? Known: made, soup"
    with pytest.raises(UnknownName, match=words):
        mix("soop")
    with pytest.raises(BadConfig, match=r"the mixture 'soup' needs --data FOLDER \(or OCTOVERSE_D"):
        mix("soup")
    with pytest.raises(BadConfig, match="frames, horizon and image_size must be at least 1"):
        mix("soup", Path(drives), frames=0)
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadData, match="the mixture 'soup', found no made/drives"):
        mix("soup", tmp_path / "empty")
