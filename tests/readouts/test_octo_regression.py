from collections.abc import Callable

import numpy as np
import pytest
import torch

from octoverse.readout import Context, TrunkShape
from octoverse.readouts.octo_regression import OctoRegression, OctoRegressionConfig

TRUNK = TrunkShape(width=16, layers=1, heads=2)
NONE = torch.zeros(0)


def readout(**settings: object) -> OctoRegression:
    torch.manual_seed(0)
    return OctoRegressionConfig(**settings).build(TRUNK, 4, 3)  # type: ignore[arg-type]


def test_its_answer_is_one_linear_map_of_the_tokens_mean_bent_towards_a_bound(
    context: Callable[..., Context],
) -> None:
    made, seen = readout(pooled=False, token_count=2, bound=2.0), context([1, 2], 2)
    weight, bias = (one.detach().numpy() for one in made.project.parameters())
    free = seen.own[:, 0].numpy().mean(1) @ weight.T + bias
    expected = 2 * np.tanh(free / 2).reshape(2, 4, 3)
    assert np.allclose(made.sample(seen, noise=NONE).actions[:, 0].detach(), expected, atol=1e-6)


def test_its_probe_reads_by_eight_heads_of_attention(context: Callable[..., Context]) -> None:
    made, seen = readout(token_count=3), context([1, 2], 3)
    assert made.pool is not None
    w = {name: one.detach().double().numpy() for name, one in made.pool.named_parameters()}
    x = seen.own[:, 0].double().numpy()
    query = w["probe"] @ w["query.weight"].T + w["query.bias"]
    found = np.zeros((2, 16))
    for head in range(8):
        part = slice(2 * head, 2 * head + 2)
        key, value = (
            (x @ w[f"{n}.weight"].T + w[f"{n}.bias"])[..., part] for n in ("key", "value")
        )
        share = np.exp(key @ query[0, part] / 2**0.5)
        share = share / share.sum(1, keepdims=True)
        found[:, part] = (share[..., None] * value).sum(1)
    found = found @ w["leave.weight"].T + w["leave.bias"]
    centred = found - found.mean(1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(1, keepdims=True) + 1e-6)
    inner = (scaled * w["norm.weight"] + w["norm.bias"]) @ w["mlp.0.weight"].T + w["mlp.0.bias"]
    inner = 0.5 * inner * (1 + np.tanh((2 / np.pi) ** 0.5 * (inner + 0.044715 * inner**3)))
    found = found + inner @ w["mlp.2.weight"].T + w["mlp.2.bias"]
    assert np.allclose(made.pool(seen.own[:, 0]).detach(), found, atol=1e-5)


@pytest.mark.parametrize("error", ["l1", "mse"])
def test_its_loss_is_the_mean_error_over_valid_numbers(
    context: Callable[..., Context], error: str
) -> None:
    made, seen = readout(error=error), context([1, 2])
    answer = made.sample(seen, noise=NONE).actions[:, 0].detach()
    target = answer + torch.arange(24.0).reshape(2, 4, 3)
    valid = torch.zeros(2, 4, 3, dtype=torch.bool)
    valid[0, 1, 2] = valid[1, 0, 1] = True
    target[~valid] = torch.nan
    loss = made.loss(seen, target, valid)
    expected = {"l1": (5 + 13) / 2, "mse": (25 + 169) / 2}[error]
    assert loss.total.item() == pytest.approx(expected, rel=1e-5) and loss.count == 2
    loss.total.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in made.parameters())


def test_it_overfits_one_batch(
    context: Callable[..., Context], overfit: Callable[..., tuple[float, float]]
) -> None:
    made, target = readout(), torch.randn(6, 4, 3, generator=torch.Generator().manual_seed(1))
    first, last = overfit(made, context(list(range(6))), target, 300)
    assert last < first / 5


def test_several_samples_are_its_one_answer_and_a_prefix_is_kept(
    context: Callable[..., Context],
) -> None:
    made, seen = readout(), context([1, 2])
    prefix, exists = torch.randn(2, 2, 3), torch.ones(2, 4, 3, dtype=torch.bool)
    exists[..., 2] = False
    plain = made.sample(seen, noise=NONE, samples=3).actions
    held = made.sample(seen, noise=NONE, samples=3, prefix=prefix).actions
    assert plain.shape == (2, 3, 4, 3) and torch.equal(plain[:, 0], plain[:, 2])
    assert torch.equal(held[:, 1, :2], prefix) and torch.equal(held[:, :, 2:], plain[:, :, 2:])
    some = made.sample(seen, noise=NONE, valid=exists).actions
    assert not some[..., 2].any() and torch.equal(some[..., :2], plain[:, :1, :, :2])


def test_an_answer_does_not_hang_on_its_neighbours(context: Callable[..., Context]) -> None:
    made = readout(token_count=2)
    together = made.sample(context([1, 2], 2), noise=NONE).actions
    alone = made.sample(context([2], 2), noise=NONE).actions
    assert torch.allclose(together[1], alone[0], atol=1e-6)


def test_it_puts_blank_tokens_into_the_sequence() -> None:
    tokens = readout(token_count=2).tokens(3, None)
    assert tokens.values.shape == (3, 1, 2, 16) and not tokens.values.any()


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="token_count must be at least 1 and bound above 0, got 0"):
        OctoRegressionConfig(token_count=0)
    with pytest.raises(ValueError, match=r"bound above 0, got 1 and 0\.0"):
        OctoRegressionConfig(bound=0.0)
    narrow = TrunkShape(width=12, layers=1, heads=2)
    with pytest.raises(ValueError, match="the trunk's width must be a multiple of 8, got 12"):
        OctoRegressionConfig().build(narrow, 4, 3)
