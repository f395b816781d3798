from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import pytest
import torch

from octoverse.errors import BadConfig
from octoverse.readout import Context, TrunkShape
from octoverse.readouts.regression import RegressionConfig

TRUNK = TrunkShape(width=16, layers=1, heads=2)

NONE = torch.zeros(0)


def test_its_loss_is_the_mean_absolute_error_over_valid_numbers(
    context: Callable[..., Context],
) -> None:
    readout, seen = RegressionConfig(hidden=8).build(TRUNK, 2, 3), context([1, 2])
    answer = readout.sample(seen, noise=NONE).actions[:, 0]
    target = answer + torch.arange(12.0).reshape(2, 2, 3)
    valid = torch.zeros(2, 2, 3, dtype=torch.bool)
    valid[0, 1, 2] = valid[1, 0, 1] = True
    target[~valid] = torch.nan
    loss = readout.loss(seen, target, valid)
    assert torch.isclose(loss.total, torch.tensor((5.0 + 7.0) / 2))
    assert loss.count == 2


def test_nothing_valid_costs_nothing_and_pulls_at_nothing(context: Callable[..., Context]) -> None:
    readout = RegressionConfig(hidden=8).build(TRUNK, 2, 3)
    loss = readout.loss(context([1]), torch.ones(1, 2, 3), torch.zeros(1, 2, 3, dtype=torch.bool))
    loss.total.backward()
    assert loss.total == 0
    assert all(p.grad is None or not p.grad.any() for p in readout.parameters())


def test_it_overfits_one_batch(
    context: Callable[..., Context], overfit: Callable[..., tuple[float, float]]
) -> None:
    torch.manual_seed(0)
    readout, target = RegressionConfig(hidden=32).build(TRUNK, 4, 3), torch.randn(6, 4, 3)
    first, last = overfit(readout, context(list(range(6))), target, 300)
    assert last < first / 10


def test_several_samples_are_its_one_answer_and_a_prefix_is_kept(
    context: Callable[..., Context],
) -> None:
    readout, seen = RegressionConfig(hidden=8, token_count=2).build(TRUNK, 4, 3), context([1, 2], 2)
    prefix = torch.randn(2, 2, 3)
    plain = readout.sample(seen, noise=NONE, samples=3).actions
    held = readout.sample(seen, noise=NONE, samples=3, prefix=prefix).actions
    assert plain.shape == (2, 3, 4, 3)
    assert torch.equal(plain[:, 0], plain[:, 2])
    assert torch.equal(held[:, 1, :2], prefix)
    assert torch.equal(held[:, :, 2:], plain[:, :, 2:])


def test_its_queries_are_the_same_for_every_sample_and_target() -> None:
    readout = RegressionConfig(token_count=2).build(TRUNK, 4, 3)
    tokens = readout.tokens(3, None)
    assert tokens.values.shape == (3, 1, 2, 16)
    assert tokens.valid.all()
    assert torch.equal(tokens.values, readout.tokens(3, torch.randn(3, 4, 3)).values)


def test_the_squared_error_is_minimised_where_asked(context: Callable[..., Context]) -> None:
    readout, seen = RegressionConfig(hidden=8, error="mse").build(TRUNK, 2, 3), context([1, 2])
    answer = readout.sample(seen, noise=NONE).actions[:, 0].detach()
    off = torch.arange(12.0).reshape(2, 2, 3)
    loss = readout.loss(seen, answer + off, torch.ones_like(off) > 0)
    assert torch.isclose(loss.total, off.square().mean())


@pytest.mark.parametrize("error", ["l1", "mse"])
def test_what_does_not_count_pulls_at_nothing(
    context: Callable[..., Context], error: Literal["l1", "mse"]
) -> None:
    torch.manual_seed(0)
    readout, seen = RegressionConfig(hidden=8, error=error).build(TRUNK, 2, 3), context([1, 2])
    target, valid = torch.randn(2, 2, 3), torch.rand(2, 2, 3) < 0.5
    found = []
    for other in (0.0, torch.nan, torch.inf):
        loss = readout.loss(seen, torch.where(valid, target, other), valid).total
        found.append((loss, *torch.autograd.grad(loss, list(readout.project.parameters()))))
    assert all(torch.equal(a, b) for one in found[1:] for a, b in zip(found[0], one, strict=True))


def test_answers_are_octo_s_tanh_within_the_bound(context: Callable[..., Context]) -> None:
    seen, answers = context([1, 2]), {}
    for bound in (None, 2.0):
        torch.manual_seed(0)
        readout = RegressionConfig(hidden=8, bound=bound).build(TRUNK, 2, 3)
        readout.project.get_parameter("2.weight").data.mul_(30)
        answers[bound] = readout.sample(seen, noise=NONE).actions
    assert answers[None].abs().max() > 4
    assert torch.allclose(answers[2.0], torch.tanh(answers[None] / 2) * 2)
    assert answers[2.0].abs().max() <= 2


def test_numbers_that_do_not_exist_come_out_as_zero(context: Callable[..., Context]) -> None:
    readout, seen = RegressionConfig(hidden=8).build(TRUNK, 2, 3), context([1, 2])
    valid = torch.tensor([True, True, False]).expand(2, 2, 3)
    plain = readout.sample(seen, noise=NONE).actions
    found = readout.sample(seen, noise=NONE, valid=valid).actions
    assert torch.equal(found[..., :2], plain[..., :2]) and not found[..., 2].any()


def test_shipped_weights_find_their_names() -> None:
    readout = RegressionConfig().build(TRUNK, 8, 7)
    assert {name: tuple(value.shape) for name, value in readout.state_dict().items()} == {
        "query": (1, 1, 1, 16),
        "project.0.weight": (256, 16),
        "project.0.bias": (256,),
        "project.2.weight": (56, 256),
        "project.2.bias": (56,),
    }


def test_a_bound_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match=r"bound must be above 0, or None .* got 0\.0"):
        RegressionConfig(bound=0.0)


def test_row_by_row_every_token_makes_the_row_of_its_place(
    context: Callable[..., Context],
) -> None:
    torch.manual_seed(0)
    readout, seen = (
        RegressionConfig(row_by_row=True, token_count=4).build(TRUNK, 4, 3),
        context([1, 2], 4),
    )
    actions = readout.sample(seen, noise=NONE).actions[:, 0]
    assert actions.shape == (2, 4, 3)
    own = seen.own.clone()
    own[:, :, 2] += 1
    moved = readout.sample(replace(seen, own=own), noise=NONE).actions[:, 0] - actions
    assert (moved.abs().amax((0, 2)) > 1e-3).tolist() == [False, False, True, False]


def test_row_by_row_needs_a_token_for_every_row() -> None:
    with pytest.raises(BadConfig, match="a token for each of the chunk's 4 rows, got 1 tokens"):
        RegressionConfig(row_by_row=True).build(TRUNK, 4, 3)
