from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from octoverse import registry
from octoverse.cli.recipe import named_recipe
from octoverse.errors import BadConfig, UnknownName


@pytest.fixture
def offer(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    """Makes a function the recipe "made"."""
    load = registry.load
    monkeypatch.delenv("OCTOVERSE_DATA", raising=False)

    def use(make: Any) -> None:
        monkeypatch.setattr(
            registry, "load", lambda kind, name: make if name == "made" else load(kind, name)
        )

    return use


def test_a_recipe_is_given_its_folder(
    offer: Callable[[Any], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(lambda data: data)
    found: Any = named_recipe("made", Path("there"))
    assert found == Path("there")
    monkeypatch.setenv("OCTOVERSE_DATA", "here")
    found = named_recipe("made", None)
    assert found == Path("here")


def test_a_recipe_without_its_folder_is_refused(offer: Callable[[Any], None]) -> None:
    def make(data: Path) -> Path:
        """The drives in `data`."""
        return data

    offer(make)
    with pytest.raises(BadConfig, match=r"'made' needs --data FOLDER .*: The drives in `data`"):
        named_recipe("made", None)
    offer(lambda: None)
    with pytest.raises(BadConfig, match="must take one argument, the folder of its data; it tak"):
        named_recipe("made", None)
    with pytest.raises(UnknownName, match=r"No recipe named 'demoo'. Did you mean 'demo'"):
        named_recipe("demoo", None)
