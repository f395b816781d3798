from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from octoverse.errors import SpecMismatch
from octoverse.readout import Context, TrunkShape
from octoverse.readouts.query_regression import QueryRegression, QueryRegressionConfig

TRUNK = TrunkShape(width=16, layers=2, heads=2)
NONE = torch.zeros(0)
READS = 6
"""Outputs that there are to read."""


def made(**settings: Any) -> QueryRegression:
    torch.manual_seed(0)
    return QueryRegressionConfig(**settings).build(TRUNK, 4, 3)


def commanded(context: Context, *commands: int) -> Context:
    """The same with a command for each sample, -1 for none."""
    streams = {"command": torch.tensor(commands).float()}
    return replace(context, reference=replace(context.reference, streams=streams))


def test_its_loss_is_the_mean_absolute_error_of_the_commanded_chunk(
    context: Callable[..., Context],
) -> None:
    readout, seen = made(commands=3), commanded(context([1, 2], READS), 2, -1)
    answer = readout.sample(seen, noise=NONE).actions[:, 0]
    target = answer + torch.arange(24.0).reshape(2, 4, 3)
    valid = torch.zeros(2, 4, 3, dtype=torch.bool)
    valid[0, 1, 2] = valid[1, 0, 1] = True
    target[~valid] = torch.nan
    loss = readout.loss(seen, target, valid)
    assert torch.isclose(loss.total, torch.tensor((5.0 + 13.0) / 2))
    assert loss.count == 2


def test_what_is_masked_changes_no_gradient(context: Callable[..., Context]) -> None:
    readout, seen, target = made(), context([1, 2], READS), torch.randn(2, 4, 3)
    valid = torch.rand(2, 4, 3) < 0.5
    kept = []
    for other in (torch.zeros(()), torch.tensor(torch.nan)):
        readout.zero_grad()
        readout.loss(seen, torch.where(valid, target, other), valid).total.backward()
        kept.append([p.grad for p in readout.parameters()])
    for one, two in zip(*kept, strict=True):
        assert torch.equal(one, two)


def test_one_scene_has_a_chunk_for_each_command_and_for_none(
    context: Callable[..., Context], overfit: Callable[..., tuple[float, float]]
) -> None:
    readout, seen = made(commands=3), commanded(context([1, 1, 1, 1], READS), 0, 1, 2, -1)
    target = torch.randn(4, 4, 3)
    first, last = overfit(readout, seen, target, 300)
    assert last < first / 10
    found = readout.sample(seen, noise=NONE).actions[:, 0]
    assert (found - target).abs().mean() < 0.1


def test_only_the_commanded_chunk_is_taught(context: Callable[..., Context]) -> None:
    readout, seen = made(commands=3), commanded(context([1], READS), 1)
    readout.loss(seen, torch.randn(1, 4, 3), torch.ones(1, 4, 3) > 0).total.backward()
    last = readout.answer[-1]
    assert isinstance(last, torch.nn.Linear) and last.weight.grad is not None
    taught = last.weight.grad.unflatten(0, (4, 12)).flatten(1).any(1)
    assert taught.tolist() == [False, True, False, False]


def test_without_commands_no_stream_is_needed(context: Callable[..., Context]) -> None:
    found = made().sample(context([1, 2], READS), noise=NONE, samples=3).actions
    assert found.shape == (2, 3, 4, 3)
    assert torch.equal(found[:, 0], found[:, 2])


def test_a_sample_does_not_depend_on_its_neighbours(context: Callable[..., Context]) -> None:
    readout = made(commands=3)
    together = readout.sample(commanded(context([5, 6], READS), 0, 2), noise=NONE).actions
    alone = readout.sample(commanded(context([6], READS), 2), noise=NONE).actions
    assert torch.allclose(together[1:], alone, atol=1e-6)


def test_a_prefix_is_kept_and_what_does_not_exist_is_0(context: Callable[..., Context]) -> None:
    readout, seen, prefix = made(), context([1, 2], READS), torch.randn(2, 2, 3)
    valid = torch.ones(2, 4, 3, dtype=torch.bool)
    valid[..., 1] = False
    found = readout.sample(seen, noise=NONE, samples=2, prefix=prefix, valid=valid).actions
    assert torch.equal(found[:, 1, :2, ::2], prefix[..., ::2])
    assert not found[..., 1].any() and found[..., ::2].all()


def test_it_puts_nothing_into_the_sequence() -> None:
    assert QueryRegressionConfig.token_count == 0
    assert made().tokens(3, None).values.shape == (3, 1, 0, 16)


def test_a_command_that_is_missing_or_unknown_is_said_in_words(
    context: Callable[..., Context],
) -> None:
    with pytest.raises(SpecMismatch, match="3 commands needs the stream 'command', got none"):
        made(commands=3).sample(context([1], READS), noise=NONE)
    with pytest.raises(SpecMismatch, match=r"'command': expected an index from 0 to 2, .* got 3"):
        made(commands=3).sample(commanded(context([1], READS), 3), noise=NONE)


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match=r"commands must be at least 0 and layers .* got -1 and 2"):
        QueryRegressionConfig(commands=-1)
    with pytest.raises(ValueError, match="got 0 and 0"):
        QueryRegressionConfig(layers=0)
