import re
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from types import SimpleNamespace
from typing import Any, get_args

import pytest

from octoverse import registry
from octoverse.errors import MissingExtra, OctoverseError, UnknownName
from octoverse.registry import Kind

Install = Callable[..., None]


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Make entry points as if packages offered them: name to "module:object"."""

    def install(*offers: tuple[str, str]) -> None:
        def entry_points(group: str) -> list[EntryPoint]:
            found = [EntryPoint(name, value, group) for name, value in offers]
            for entry in found:
                vars(entry).update(dist=SimpleNamespace(name="strange-robots"))
            return found

        monkeypatch.setattr(registry, "entry_points", entry_points)
        registry._entries.cache_clear()

    yield install
    monkeypatch.undo()
    registry._entries.cache_clear()


def test_names_are_in_order(install: Install) -> None:
    install(("b", "m:B"), ("a", "m:A"))
    assert registry.names("embodiment") == ["a", "b"]


def test_the_package_that_provides_a_plugin_is_known() -> None:
    assert registry.provider("embodiment", "widowx") == "octoverse"
    with pytest.raises(UnknownName, match=r"No embodiment named 'widwx'. Did you mean 'widowx'"):
        registry.provider("embodiment", "widwx")


def test_an_unknown_plugin_suggests_the_nearest() -> None:
    with pytest.raises(UnknownName, match=r"No embodiment named 'panada'. Did you mean 'panda'"):
        registry.load("embodiment", "panada")


def test_two_packages_may_not_claim_one_name(install: Install) -> None:
    install(("arm", "ours:ARM"), ("arm", "theirs:ARM"))
    words = "Two packages provide the embodiment 'arm': ours:ARM and theirs:ARM. Uninstall one."
    with pytest.raises(OctoverseError, match=re.escape(words)):
        registry.names("embodiment")


def test_one_package_listed_twice_is_one(install: Install) -> None:
    install(("arm", "ours:ARM"), ("arm", "ours:ARM"))
    assert registry.names("embodiment") == ["arm"]


def test_a_plugin_without_its_extra_says_how_to_install_it(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(("cloud", "robosuite.missing:CLOUD"))
    monkeypatch.setitem(__import__("sys").modules, "robosuite", None)
    words = (
        "The source 'cloud' needs the package 'robosuite', which is not installed. "
        'Install it with: pip install "octoverse[robosuite]"'
    )
    with pytest.raises(MissingExtra, match=re.escape(words)):
        registry.load("source", "cloud")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (
            "no_such_module:ARM",
            "The readout 'arm' of the package 'strange-robots' cannot be loaded: "
            "ModuleNotFoundError: No module named 'no_such_module'",
        ),
        (
            "octoverse.errors:NoSuchThing",
            "cannot be loaded: AttributeError: module 'octoverse.errors' has no attribute",
        ),
    ],
)
def test_a_broken_plugin_is_named_with_its_package(
    install: Install, value: str, words: str
) -> None:
    install(("arm", value))
    with pytest.raises(OctoverseError, match=re.escape(words)):
        registry.load("readout", "arm")


@pytest.mark.parametrize(
    ("value", "got"),
    [
        ("octoverse.embodiments.panda:PANDA", "got Embodiment 'panda'"),
        ("octoverse.errors:OctoverseError", "got type ''"),
    ],
)
def test_an_embodiment_goes_by_the_name_of_its_entry_point(
    install: Install, value: str, got: str
) -> None:
    install(("arm", value))
    words = (
        "The embodiment 'arm' of the package 'strange-robots' must be an Embodiment of that name, "
        f"{got}. Give its entry point and its spec one name."
    )
    with pytest.raises(OctoverseError, match=re.escape(words)):
        registry.load("embodiment", "arm")


def test_a_class_is_found_by_what_it_is() -> None:
    name = "widowx"
    made: Any = registry.load("embodiment", name)
    assert made.name == name
    with pytest.raises(UnknownName, match=r"No tokenizer named 'builtins:int'"):
        registry.name_of("tokenizer", int)


@pytest.mark.parametrize("kind", get_args(Kind))
def test_whatever_the_house_offers_can_be_imported(kind: Kind) -> None:
    for name in registry.names(kind):
        registry.load(kind, name)


def test_only_a_known_package_points_to_an_extra() -> None:
    found = registry.missing_extra("It", ModuleNotFoundError(name="mujoco.egl"))
    assert found is not None and 'pip install "octoverse[sim]"' in str(found)
    assert registry.missing_extra("It", ModuleNotFoundError(name="antigravity")) is None
