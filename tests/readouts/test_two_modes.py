"""An obstacle is passed on the right as often as on the left: what does each generator make of it?

The question, the generators' settings and their training are those of benchmarks/two_modes.py.
"""

import functools
import importlib
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

ROOT = Path(__file__).parents[2]
MIDDLE = ("regression, mse", "octo_regression", "cvae, kl_weight 10")
ONE_ANSWER = (*MIDDLE, "regression, l1", "query_regression")
BEST_TWO = ("anchors", "truncated_diffusion")
DRAWN = (
    "cvae",
    "diffusion, mlp_resnet",
    "diffusion, unet",
    "diffusion, transformer",
    "flow",
    "action_expert",
)


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The benchmark's module."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("two_modes")


@functools.cache
def trained(name: str) -> Any:
    two = importlib.import_module("two_modes")
    return two.train(two.GENERATORS[name])


def answers(two: ModuleType, name: str, samples: int = 0) -> Tensor:
    return two.ask(two.GENERATORS[name], trained(name), samples)


def gap(two: ModuleType) -> float:
    """How far apart the two ways are."""
    right, left = two.ways(torch.zeros(1))[0]
    return (right - left).square().mean().sqrt().item()


def test_what_is_seen_never_says_which_side(two: ModuleType) -> None:
    places, passed = two.chunks(1000, seed=3)
    assert torch.equal(places[::2], places[1::2])
    right, left = (two.ways(places)[:, side] for side in (0, 1))
    assert (passed[::2] - right[::2]).abs().max() < 6 * two.SPREAD
    assert (passed[1::2] - left[1::2]).abs().max() < 6 * two.SPREAD
    assert gap(two) == pytest.approx(0.935, abs=0.001) and two.NEAR < gap(two) / 4


def test_every_readout_of_ours_is_asked(two: ModuleType) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    ours = set(project["entry-points"]["octoverse.readouts"])
    assert {one.readout for one in two.GENERATORS.values()} == ours
    assert {*ONE_ANSWER, *BEST_TWO, *DRAWN, "bins"} == set(two.GENERATORS)


@pytest.mark.parametrize("name", ONE_ANSWER)
def test_a_regression_gives_one_answer_between_the_ways(two: ModuleType, name: str) -> None:
    """So does a CVAE whose latent costs more than it gains: it says nothing."""
    found = answers(two, name)
    assert (found - found[:, :1]).abs().max() < 0.5  # of 2 from way to way
    far = two.away(found)
    # On the straight line from one way to the other: no detour.
    assert far.sum(-1).max() < 1.15 * gap(two)
    if name in MIDDLE:
        assert far.min() > 0.35


@pytest.mark.parametrize("name", DRAWN)
def test_drawn_answers_are_on_the_ways_and_on_both(two: ModuleType, name: str) -> None:
    near = (two.away(answers(two, name)) <= two.NEAR).float()
    for place, sides in zip(two.PLACES, near.mean(1), strict=True):
        assert sides.sum() >= 0.7, f"obstacle at {place}"
        assert sides.min() >= 0.1, f"obstacle at {place}"
    assert near.sum(-1).mean() >= 0.8


@pytest.mark.parametrize("name", BEST_TWO)
def test_of_ranked_answers_the_first_two_are_the_two_ways(two: ModuleType, name: str) -> None:
    near = two.away(answers(two, name)) <= two.NEAR  # (b, 2, 2)
    assert near.any(1).all() and near.any(2).all()


def test_bins_find_every_point_on_a_way_and_mix_the_ways_within_a_chunk(two: ModuleType) -> None:
    """Each number is drawn by itself, given the observation alone."""
    found = answers(two, "bins")
    assert two.points(found).float().mean() > 0.9
    assert (two.away(found) <= two.NEAR).any(-1).float().mean() < 0.2
    side = found[..., two.ROWS // 2, 1] - torch.tensor(two.PLACES)[:, None]
    assert ((side > 0).float().mean(1) - 0.5).abs().max() < 0.25


def test_a_cvae_s_answer_for_latent_zero_is_one_that_it_may_also_draw(two: ModuleType) -> None:
    """It is one answer, on a way or between them, wherever the middle of the prior is mapped."""
    one, many = answers(two, "cvae", samples=1), answers(two, "cvae")
    assert one.shape[1] == 1
    far = two.away(one)
    assert far.sum(-1).max() < 1.3 * gap(two)
    nearest = (one - many).square().mean((-1, -2)).sqrt().amin(1)
    assert nearest.max() < 0.3


def test_the_plot_and_the_table_show_what_was_found(two: ModuleType, tmp_path: Path) -> None:
    right = two.ways(torch.tensor(two.PLACES))[:, :1]
    assert two.report("exact", right).split() == ["exact", "100%", "100%", "0%", "100%", "0.00"]
    two.draw({"exact": right, "drawn": right.expand(-1, 5, -1, -1)}, tmp_path / "plot.png")
    assert (tmp_path / "plot.png").stat().st_size > 5000
    assert (ROOT / "docs/two_modes.png").is_file()
