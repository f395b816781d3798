from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from octoverse import registry
from octoverse.cli import recipe as command
from octoverse.cli.recipe import named_recipe, open_parts
from octoverse.config import PolicyConfig
from octoverse.data import opening
from octoverse.embodiment import Embodiment
from octoverse.errors import BadConfig, UnknownName
from octoverse.recipes.generic import GENERIC


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
    found: Any = named_recipe("made", [Path("there")])
    assert found == Path("there")
    monkeypatch.setenv("OCTOVERSE_DATA", "here")
    found = named_recipe("made")
    assert found == Path("here")


def test_a_recipe_without_its_folder_is_refused(offer: Callable[[Any], None]) -> None:
    def make(data: Path) -> Path:
        """The drives in `data`."""
        return data

    offer(make)
    with pytest.raises(BadConfig, match=r"'made' needs --data FOLDER .*: The drives in `data`"):
        named_recipe("made")
    offer(lambda: None)
    with pytest.raises(BadConfig, match="must take one argument, the folder of its data; it tak"):
        named_recipe("made")
    with pytest.raises(UnknownName, match=r"No recipe named 'demoo'. Did you mean 'demo'"):
        named_recipe("demoo")


def test_a_published_system_is_made_for_the_bodies_of_the_data(
    small: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = {
        "arms": (small.Made(), small.Made(name="kept", sizes=(2,))),
        "cars": (small.Made(embodiment="road_car", sizes=(5, 29)), None),
    }
    monkeypatch.setattr(command, "open_parts", lambda what, share: made[str(what)])
    found = named_recipe("generic", [Path("arms"), Path("cars")], size="tiny")
    assert set(found.policy.bodies) == {"tabletop_arm", "road_car"}
    assert found.policy.trunk.width == 64 and found.name == "generic"
    assert [one.weight for one in found.sources] == [17, 34]  # every frame equally often
    assert [one.source.name for one in found.held_out] == ["kept"]
    assert named_recipe("generic", [Path("arms")]).policy.trunk.width == 128
    with pytest.raises(UnknownName, match=r"No size of 'generic' named 'tin'. Did you mean 'tiny'"):
        named_recipe("generic", [Path("arms")], size="tin")


def test_bodies_that_are_not_of_a_system_s_kind_are_named_with_some_that_are(
    small: ModuleType, offer: Callable[[Any], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(bodies: Sequence[Embodiment], size: str) -> PolicyConfig:
        raise BadConfig(f"{bodies[0].name} has no path.")

    offer(replace(GENERIC, name="made", policy=refuse))
    monkeypatch.setattr(command, "open_parts", lambda what, share: (small.Made(), None))
    words = (
        "'made' cannot be made for tabletop_arm: tabletop_arm has no path. It is for bodies such "
        "as tabletop_arm and road_car"
    )
    with pytest.raises(BadConfig, match=words):
        named_recipe("made", [Path("arms")])


def test_a_declared_data_set_is_parted_as_it_says_and_any_other_by_its_last_episodes(
    small: ModuleType, real_data: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = real_data("dobot-cr5")
    monkeypatch.setenv("OCTOVERSE_DATA", str(folder.parent))
    for what in ("dobot-cr5", folder):
        train, held = open_parts(what)
        assert held is not None and len(held) == 2
        assert (train.name, held.name) == ("dobot-cr5/train", "dobot-cr5/val")
    whole, none = open_parts("dobot-cr5", 0)
    assert held is not None and none is None and len(whole) == len(train) + len(held)
    made = small.Made(sizes=(3,) * 10)
    monkeypatch.setattr(opening, "open_source", lambda what, root: made)
    train, held = open_parts("recordings/mine", 0.2)
    assert held is not None and (len(train), len(held)) == (8, 2)
