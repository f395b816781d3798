from dataclasses import replace
from typing import Any

import pytest
import torch

from octoverse import registry
from octoverse.cli import recipes as command
from octoverse.cli.recipes import Size, described, recipes
from octoverse.errors import OctoverseError, UnknownName
from octoverse.readouts.anchors import AnchorsConfig
from octoverse.recipes.architecture import Architecture
from octoverse.recipes.generic import GENERIC

SYSTEMS = [
    name
    for name in registry.names("recipe")
    if isinstance(registry.load("recipe", name), Architecture)
]


@pytest.mark.parametrize("name", SYSTEMS)
def test_the_published_size_is_counted_without_making_its_weights(name: str) -> None:
    system = registry.load("recipe", name)
    parameters, tokens = Size(system=system, size=system.sizes[0]).counted()
    small, _ = Size(system=system, size="tiny").counted()
    assert parameters > small > 10_000 and tokens > 0


def test_what_is_counted_is_what_a_policy_has() -> None:
    one = Size(system=GENERIC, size="tiny")
    parameters, tokens = one.counted()
    policy = one.build()
    assert parameters == sum(weight.numel() for weight in policy.parameters())
    assert all(weight.device.type == "cpu" for weight in policy.parameters())
    layout = policy.layouts["tabletop_arm"]
    assert tokens == len(layout) - 1  # one frame; the instruction is not of a step
    assert layout.mask.device.type == "cpu"


def test_recipes_are_listed_with_what_they_are_and_measured_at_their_tiny_size(
    capsys: pytest.CaptureFixture[str],
) -> None:
    recipes(names=("generic", "demo"))
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert any(
        line.startswith("generic small 1,4") and " - One regression" in line for line in lines
    )
    [tiny] = [line for line in lines if line.startswith("generic tiny")]
    assert float(tiny.split()[-1]) > 0
    assert "demo The demo's policy: one trunk for the simulated arm and the simulated car." in lines
    assert any(f"of batch 1 with {torch.get_num_threads()} threads" in line for line in lines)
    assert any(line.startswith("Cameras share an image tokenizer by role") for line in lines)


@pytest.mark.parametrize(("measure", "measured"), [("none", []), ("all", ["small", "tiny"])])
def test_which_sizes_are_measured_may_be_chosen(
    monkeypatch: pytest.MonkeyPatch, measure: Any, measured: list[str]
) -> None:
    asked = []

    def milliseconds(self: Size) -> float:
        asked.append(self.size)
        return 1.0

    monkeypatch.setattr(Size, "milliseconds", milliseconds)
    recipes(names=("generic",), measure=measure)
    assert asked == measured


def test_a_readout_that_learns_of_the_data_is_measured_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(command, "SECONDS", 0.0)

    def anchored(bodies: Any, size: str) -> Any:
        config = GENERIC.policy(bodies, size)
        return replace(config, readouts=dict.fromkeys(config.readouts, AnchorsConfig(anchors=3)))

    assert Size(system=replace(GENERIC, policy=anchored), size="tiny").milliseconds() > 0


def test_a_recipe_that_cannot_be_made_is_told_after_the_others(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    names, load = registry.names, registry.load
    monkeypatch.setattr(
        registry, "names", lambda kind: ["broken", "demo"] if kind == "recipe" else names(kind)
    )

    def loading(kind: registry.Kind, name: str) -> Any:
        if name == "broken":
            raise OctoverseError("The recipe 'broken' cannot be loaded")
        return load(kind, name)

    monkeypatch.setattr(registry, "load", loading)
    with pytest.raises(OctoverseError, match="'broken' cannot be loaded"):
        recipes()
    assert "The demo's policy" in capsys.readouterr().out
    with pytest.raises(UnknownName, match=r"No recipe named 'dem'. Did you mean 'demo'"):
        recipes(names=("dem",))


def test_a_recipe_is_described_by_its_module() -> None:
    assert described(GENERIC).startswith("A policy for any body, from what its spec says")
