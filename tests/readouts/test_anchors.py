from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.nn import functional as F

from octoverse.readout import Context, TrunkShape
from octoverse.readouts.anchors import Anchors, AnchorsConfig

TRUNK = TrunkShape(width=16, layers=2, heads=2)
NOISE = torch.zeros(0)


def made(codes: torch.Tensor | None = None, **settings: Any) -> Anchors:
    """A readout whose anchors are learned from these codes."""
    torch.manual_seed(0)
    chunks = torch.randn(30, 4, 3) if codes is None else codes
    config = AnchorsConfig(**{"anchors": 5, "hidden": 32, **settings})
    readout = config.build(TRUNK, *chunks.shape[1:])
    readout.fit(chunks, torch.ones_like(chunks) > 0)
    return readout


def test_its_loss_is_the_choice_of_the_nearest_anchor_and_the_error_of_its_chunk(
    context: Callable[..., Context],
) -> None:
    readout, seen, target = made(refinement=2.0), context([1, 2]), torch.randn(2, 4, 3)
    valid = torch.rand(2, 4, 3) < 0.7
    away = ((readout.anchors.get() - target[:, None]) ** 2 * valid[:, None]).sum((2, 3))
    nearest = away.argmin(1)
    found = readout.sample(seen, noise=NOISE, samples=5)
    assert found.scores is not None
    logits, chunks = readout._predict(seen)
    error = (chunks[[0, 1], nearest] - target).abs()[valid].mean()
    loss = readout.loss(seen, target, valid)
    assert torch.isclose(loss.total, F.cross_entropy(logits, nearest) + 2 * error, rtol=1e-5)
    assert loss.count == valid.sum()
    assert torch.allclose(found.scores.exp().sum(1), torch.ones(2))


def test_what_is_masked_changes_neither_loss_nor_gradients(
    context: Callable[..., Context],
) -> None:
    readout, target = made(), torch.randn(2, 4, 3)
    valid = torch.ones(2, 4, 3, dtype=torch.bool)
    valid[0, 2:], valid[1, :, 1] = False, False
    kept = []
    for other in (torch.zeros(()), torch.tensor(torch.nan)):
        readout.zero_grad()
        loss = readout.loss(context([1, 2]), torch.where(valid, target, other), valid).total
        loss.backward()
        kept.append([loss.detach(), *(p.grad for p in readout.parameters())])
    for one, two in zip(*kept, strict=True):
        assert torch.equal(one, two)


def test_nothing_valid_costs_nothing_and_pulls_at_nothing(context: Callable[..., Context]) -> None:
    readout = made()
    loss = readout.loss(context([1]), torch.ones(1, 4, 3), torch.zeros(1, 4, 3, dtype=torch.bool))
    loss.total.backward()
    assert loss.total == 0
    assert all(p.grad is None or not p.grad.any() for p in readout.parameters())


def test_two_ways_are_both_found_as_likely_as_they_are(context: Callable[..., Context]) -> None:
    """Three of four go left, one goes right, and nothing that is seen tells which."""
    ways = torch.tensor([1.0, 1.0, 1.0, -1.0])[:, None, None] * torch.ones(4, 4, 3)
    readout, seen = (
        made(ways.repeat(3, 1, 1) + 0.05 * torch.randn(12, 4, 3), anchors=2),
        context([1] * 4),
    )
    optimizer = torch.optim.Adam(readout.parameters(), 3e-3)
    for _ in range(200):
        loss = readout.loss(seen, ways, torch.ones_like(ways) > 0).total
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    found = readout.sample(context([1]), noise=NOISE, samples=2)
    assert found.scores is not None
    assert torch.allclose(found.scores.exp(), torch.tensor([[0.75, 0.25]]), atol=0.02)
    assert torch.allclose(found.actions[0, 0], torch.ones(4, 3), atol=0.05)
    assert torch.allclose(found.actions[0, 1], -torch.ones(4, 3), atol=0.05)


def test_it_overfits_one_batch(
    context: Callable[..., Context], overfit: Callable[..., tuple[float, float]]
) -> None:
    readout, target = made(), torch.randn(6, 4, 3)
    first, last = overfit(readout, context(list(range(6))), target, 300)
    assert last < first / 10


def test_a_sample_does_not_depend_on_its_neighbours(context: Callable[..., Context]) -> None:
    readout = made()
    together = readout.sample(context([5, 6]), noise=NOISE, samples=3)
    alone = readout.sample(context([6]), noise=NOISE, samples=3)
    assert together.scores is not None and alone.scores is not None
    assert torch.allclose(together.actions[1:], alone.actions, atol=1e-6)
    assert torch.allclose(together.scores[1:], alone.scores, atol=1e-6)


def test_its_tokens_are_places_with_nothing_in_them() -> None:
    tokens = made(token_count=2).tokens(3, None)
    assert tokens.values.shape == (3, 1, 2, 16)
    assert tokens.valid.all() and not tokens.values.any()


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match=r"anchors must be at least 1 .* got 0 and 1.0"):
        AnchorsConfig(anchors=0)
    with pytest.raises(ValueError, match=r"refinement above 0, got 20 and -1\.0"):
        AnchorsConfig(refinement=-1.0)
