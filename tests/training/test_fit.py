from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from octoverse import checkpoint
from octoverse.data.weighted import Weighted
from octoverse.episode import Episode
from octoverse.errors import BadData
from octoverse.policy import Policy
from octoverse.readouts.anchors import AnchorsConfig
from octoverse.training import fit
from octoverse.training.config import Recipe
from octoverse.training.loop import train
from octoverse.training.warm_start import load_shared

NAMES = ("readouts.hand.anchors.values", "readouts.hand.anchors.fitted")


def anchored(small: ModuleType, **training: Any) -> Recipe:
    """The arm chooses among four anchors; the car regresses."""
    recipe: Recipe = small.recipe(**training)
    hand = AnchorsConfig(anchors=4)
    policy = replace(recipe.policy, readouts={**recipe.policy.readouts, "hand": hand})
    return replace(recipe, policy=policy)


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """What readouts are given to learn from."""
    from octoverse.readouts.anchors import Anchors

    found = []
    real = Anchors.fit

    def taking(self: Anchors, codes: torch.Tensor, valid: torch.Tensor) -> None:
        found.append((codes, valid))
        real(self, codes, valid)

    monkeypatch.setattr(Anchors, "fit", taking)
    return found


def built(small: ModuleType, recipe: Recipe) -> Policy:
    torch.manual_seed(0)
    statistics = {name: small.statistics(body) for name, body in small.BODIES.items()}
    return Policy(recipe.policy, small.BODIES, statistics)


def test_anchors_are_learned_of_codes_of_the_data_before_the_first_step(
    small: ModuleType, tmp_path: Path, given: list[tuple[torch.Tensor, torch.Tensor]]
) -> None:
    recipe = anchored(small, steps=2)
    policy = train(recipe, small.BODIES, tmp_path, quiet=True)
    [(codes, valid)] = given
    source = recipe.sources[0].source
    assert codes.shape == (source.lengths().sum(), small.HORIZON, 5)  # fewer than CHUNKS: all
    scale = policy.body_statistics["tabletop_arm"].action["arm"]
    first = source.episode(0).action["arm"][: small.HORIZON]
    expected = (first - np.array(scale.mean)) / np.array(scale.std)
    assert np.allclose(codes[0, :, :4], expected, atol=1e-4)
    assert valid[0].all() and not valid[5, 1:].any()  # the last step of the first episode
    loaded = checkpoint.load(tmp_path).state_dict()
    assert loaded[NAMES[1]] == 1 and loaded[NAMES[0]].std() > 0


def test_a_run_that_goes_on_does_not_learn_them_again(
    small: ModuleType, tmp_path: Path, given: list[tuple[torch.Tensor, torch.Tensor]]
) -> None:
    whole = train(anchored(small, steps=4), small.BODIES, tmp_path / "whole", quiet=True)
    recipe = anchored(small, steps=4, save_every=2)
    train(recipe, small.BODIES, tmp_path / "parts", quiet=True)
    newest = checkpoint.steps(tmp_path / "parts")[-1]
    for path in sorted(newest.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    newest.rmdir()  # as if the run had ended at step 2
    again = train(recipe, small.BODIES, tmp_path / "parts", quiet=True)
    assert len(given) == 2
    for name, value in whole.state_dict().items():
        assert torch.equal(value, again.state_dict()[name])


def test_the_seed_alone_decides_which_chunks(
    small: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    given: list[tuple[torch.Tensor, torch.Tensor]],
) -> None:
    monkeypatch.setattr(fit, "CHUNKS", 8)
    recipe = anchored(small)
    places = dict.fromkeys(small.BODIES)
    for seed in (1, 1, 2):
        torch.manual_seed(seed + len(given))
        fit.fit_readouts(built(small, recipe), recipe.sources, places, seed=seed)
    one, again, other = (codes for codes, _ in given)
    assert torch.equal(one, again) and len(one) == 8
    assert not torch.equal(one, other)


def test_data_sets_are_drawn_by_weight_and_scaled_each_in_its_own_way(
    small: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    given: list[tuple[torch.Tensor, torch.Tensor]],
) -> None:
    monkeypatch.setattr(fit, "CHUNKS", 20)
    recipe = anchored(small, steps=1, warmup_steps=1, apart=True)
    more = Weighted(source=small.Made(name="more", sizes=(30,)), weight=3.0)
    recipe = replace(recipe, sources=[*recipe.sources, more])
    train(recipe, small.BODIES, tmp_path, quiet=True)
    [(codes, _)] = given
    assert len(codes) == 5 + 15


def test_what_a_checkpoint_brought_is_kept(
    small: ModuleType, tmp_path: Path, given: list[tuple[torch.Tensor, torch.Tensor]]
) -> None:
    first = train(
        anchored(small, steps=1, warmup_steps=1), small.BODIES, tmp_path / "first", quiet=True
    )
    begun = train(
        anchored(small, steps=1, warmup_steps=1, seed=5),
        small.BODIES,
        tmp_path / "second",
        start=lambda policy: print(load_shared(policy, checkpoint.resolve(tmp_path / "first"))),
        quiet=True,
    )
    assert len(given) == 1
    assert torch.equal(first.state_dict()[NAMES[0]], begun.state_dict()[NAMES[0]])


def test_an_episode_that_cannot_be_read_is_an_error_or_left_out(
    small: ModuleType, given: list[tuple[torch.Tensor, torch.Tensor]]
) -> None:
    class Torn(small.Made):  # type: ignore[misc, name-defined]
        def episode(self, index: int) -> Episode:
            if index == 1:
                raise BadData("episode 1 is torn")
            episode: Episode = super().episode(index)
            return episode

    recipe = anchored(small)
    sources = [Weighted(source=Torn(sizes=(6, 4, 7)))]
    places = dict.fromkeys(small.BODIES)
    with pytest.raises(BadData, match="episode 1 is torn"):
        fit.fit_readouts(built(small, recipe), sources, places, seed=0)
    fit.fit_readouts(built(small, recipe), sources, places, seed=0, skip_bad=True)
    assert len(given[0][0]) == 13


def test_readouts_without_anything_to_learn_read_no_data(small: ModuleType) -> None:
    class Sealed(small.Made):  # type: ignore[misc, name-defined]
        def episode(self, index: int) -> Episode:
            raise AssertionError("opened")

    fit.fit_readouts(small.policy(), [Weighted(source=Sealed())], {}, seed=0)
