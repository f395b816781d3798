from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from octoverse import noise
from octoverse.readout import Context, Scale, TrunkShape
from octoverse.readouts.cvae import Cvae, CvaeConfig

TRUNK, NONE = TrunkShape(width=16, layers=1, heads=2), torch.zeros(0)


def cvae(horizon: int = 4, size: int = 3, **settings: Any) -> Cvae:
    torch.manual_seed(0)
    small = {"width": 32, "heads": 2, "feed_forward": 48, "encoder_layers": 2, "latent": 5}
    return CvaeConfig(**{**small, **settings}).build(TRUNK, horizon, size)


def gradient(readout: Cvae, loss: Tensor) -> list[Tensor]:
    return list(torch.autograd.grad(loss, list(readout.parameters()), materialize_grads=True))


def test_it_has_no_tokens_of_its_own() -> None:
    assert CvaeConfig.token_count == 0 and CvaeConfig.reads == "outputs"
    assert cvae().tokens(3, None).values.shape == (3, 1, 0, 16)


def test_its_loss_is_the_error_of_the_drawn_latent_and_the_divergence_from_the_prior(
    context: Callable[..., Context],
) -> None:
    readout, seen, target = cvae(kl_weight=0.7), context([1, 2], 3), torch.randn(2, 4, 3)
    valid = torch.ones(2, 4, 3, dtype=torch.bool)
    mean, log_variance = readout._encode(seen.reference, target, valid)
    posterior = Normal(mean, log_variance.exp().sqrt())
    nats = kl_divergence(posterior, Normal(0.0, 1.0)).sum(-1)
    z = mean + posterior.scale * noise.normal(seen.seeds, 1, (5,))
    error = (readout._decode(seen, z[:, None])[:, 0] - target).abs()
    loss = readout.loss(seen, target, valid)
    assert torch.isclose(loss.total, error.mean() + 0.7 * nats.mean())
    assert loss.count == 24 and nats.min() > 0


def test_what_does_not_count_is_never_seen(context: Callable[..., Context]) -> None:
    """Not by the encoder, nor by the error: steps, and single numbers."""
    readout, seen, target = cvae(), context([1, 2], 3), torch.randn(2, 4, 3)
    valid = torch.ones(2, 4, 3, dtype=torch.bool)
    valid[0, 2:] = valid[1, :, 1] = False
    found = []
    for other in (0.0, 7.0, torch.nan, torch.inf):
        loss = readout.loss(seen, torch.where(valid, target, other), valid).total
        found.append([loss, *gradient(readout, loss)])
    assert all(torch.equal(a, b) for one in found[1:] for a, b in zip(found[0], one, strict=True))


def test_masked_steps_are_as_good_as_absent(context: Callable[..., Context]) -> None:
    long, short = cvae(horizon=6), cvae(horizon=4)
    state = long.state_dict()
    short.load_state_dict({**state, "queries": state["queries"][:, :4]})
    seen, target, valid = context([1, 2], 3), torch.randn(2, 6, 3), torch.ones(2, 6, 3) > 0
    valid[:, 4:] = False
    reference = seen.reference
    for a, b in zip(
        long._encode(reference, target, valid),
        short._encode(reference, target[:, :4], valid[:, :4]),
        strict=True,
    ):
        assert torch.allclose(a, b, atol=1e-5)


def test_a_sample_s_loss_does_not_depend_on_its_neighbours(
    context: Callable[..., Context],
) -> None:
    readout, target = cvae(), torch.randn(3, 4, 3)
    valid = torch.rand(3, 4, 3) < 0.7
    alone = [
        readout.loss(context([seed], 3), target[i : i + 1], valid[i : i + 1])
        for i, seed in enumerate([5, 6, 7])
    ]
    together = readout.loss(context([5, 6, 7], 3), target, valid)
    counts = torch.stack([one.count for one in alone])
    expected = (torch.stack([one.total for one in alone]) * counts).sum() / counts.sum()
    assert torch.allclose(together.total, expected, rtol=1e-5)


def test_nothing_valid_costs_nothing_and_pulls_at_nothing(context: Callable[..., Context]) -> None:
    readout, target = cvae(), torch.full((1, 4, 3), torch.nan)
    loss = readout.loss(context([1]), target, torch.zeros(1, 4, 3, dtype=torch.bool))
    assert loss.total == 0 and not any(part.any() for part in gradient(readout, loss.total))


def test_every_weight_learns(context: Callable[..., Context]) -> None:
    readout, target = cvae(decoder_layers=2), torch.randn(2, 4, 3)
    loss = readout.loss(measured(context([1, 2], 3)), target, torch.ones_like(target) > 0)
    assert all(part.any() for part in gradient(readout, loss.total))


def measured(seen: Context, values: float = 1.0) -> Context:
    one = torch.ones(3)
    now = torch.full((len(seen.seeds), 3), values)
    scale = Scale(0 * one, one, 0 * one, one)
    return replace(seen, reference=replace(seen.reference, measured=now, scale=scale))


def test_the_encoder_reads_what_is_measured_and_the_answer_does_not(
    context: Callable[..., Context],
) -> None:
    readout, seen, target = cvae(), context([1, 2], 3), torch.randn(2, 4, 3)
    valid = torch.ones_like(target) > 0
    one, other = measured(seen, 1.0), measured(seen, -1.0)
    first, second = (readout._encode(c.reference, target, valid)[0] for c in (one, other))
    assert not torch.allclose(first, second, rtol=1e-3)
    first, second = (readout.sample(c, noise=NONE).actions for c in (one, other))
    assert torch.equal(first, second)


@pytest.mark.parametrize("shape", [(3,), (4, 3), (2, 1, 3)])
def test_what_is_measured_is_scaled_as_actions_are(
    context: Callable[..., Context], shape: tuple[int, ...]
) -> None:
    offset, width = torch.randn(shape), torch.rand(shape) + 0.5
    now = torch.tensor([[0.5, torch.nan, 100.0], [-0.2, 0.1, torch.nan]])
    seen, readout = context([1, 2]), cvae(size=5)
    reference = replace(seen.reference, measured=now, scale=Scale(offset, width, offset, width))
    found = readout._measured(reference, torch.zeros(2, 4, 5))
    first = [s[:, 0] if s.ndim == 3 else s[0] if s.ndim == 2 else s for s in (offset, width)]
    expected = ((now - first[0]) / first[1]).nan_to_num(0).clamp(-5, 5)
    assert torch.allclose(found[:, :3], expected, atol=1e-6) and not found[:, 3:].any()


def test_one_answer_is_that_of_latent_zero_whatever_the_noise(
    context: Callable[..., Context],
) -> None:
    readout, seen = cvae(), context([1, 2], 3)
    found = readout.sample(seen, noise=torch.randn(2, 1, 4, 3))
    assert torch.equal(found.actions, readout._decode(seen, torch.zeros(2, 1, 5)))
    assert found.scores is not None and torch.equal(found.scores, torch.zeros(2, 1))


def test_more_answers_are_those_of_the_noise_read_as_latents(
    context: Callable[..., Context],
) -> None:
    readout, seen, drawn = cvae(), context([1, 2], 3), torch.randn(2, 6, 4, 3)
    found = readout.sample(seen, noise=drawn, samples=6)
    z = drawn.flatten(2)[..., :5]
    assert torch.allclose(found.actions, readout._decode(seen, z))
    assert found.scores is not None
    density = Normal(0.0, 1.0).log_prob(z).sum(-1) - Normal(0.0, 1.0).log_prob(0 * z).sum(-1)
    assert torch.allclose(found.scores, density, atol=1e-5)
    assert found.actions.std(1).min() > 1e-3


def test_each_of_several_answers_belongs_to_its_own_observation(
    context: Callable[..., Context],
) -> None:
    readout, drawn = cvae(decoder_layers=2), torch.randn(2, 3, 4, 3)
    together = readout.sample(context([1, 2], 3), noise=drawn, samples=3).actions
    for i, seed in enumerate([1, 2]):
        alone = readout.sample(context([seed], 3), noise=drawn[i : i + 1], samples=3).actions
        assert torch.allclose(together[i : i + 1], alone, atol=1e-6)


def test_numbers_that_do_not_exist_influence_nothing_and_come_out_as_zero(
    context: Callable[..., Context],
) -> None:
    readout, seen, drawn = cvae(), context([1, 2], 3), torch.randn(2, 8, 4, 3)
    valid = torch.tensor([True, False, True]).expand(2, 4, 3)
    found = readout.sample(seen, noise=drawn, samples=8, valid=valid)
    noisy = torch.where(valid[:, None], drawn, torch.nan)
    again = readout.sample(seen, noise=noisy, samples=8, valid=valid)
    assert torch.equal(found.actions, again.actions)
    assert not found.actions[..., 1].any() and found.actions[..., ::2].all()


def test_latents_are_standard_normal_where_the_chunk_has_fewer_numbers(
    context: Callable[..., Context],
) -> None:
    readout, seen = cvae(horizon=2, size=2, latent=8), context([1])
    drawn = torch.randn(1, 4000, 2, 2, generator=torch.Generator().manual_seed(0))
    valid = torch.tensor([True, False]).expand(1, 2, 2)
    z = readout._draw(seen, drawn, 4000, valid)[0]
    assert torch.equal(z[:, 0], drawn[0, :, 0, 0]) and torch.equal(z[:, 1], drawn[0, :, 1, 0])
    assert np.allclose(np.cov(z.T.numpy()), np.eye(8), atol=0.08) and abs(z.mean(0)).max() < 0.06


def test_a_prefix_is_kept(context: Callable[..., Context]) -> None:
    readout, seen, drawn = cvae(), context([1, 2], 3), torch.randn(2, 3, 4, 3)
    prefix = torch.randn(2, 2, 3)
    plain = readout.sample(seen, noise=drawn, samples=3).actions
    held = readout.sample(seen, noise=drawn, samples=3, prefix=prefix).actions
    assert torch.equal(held[:, :, :2], prefix[:, None].expand(-1, 3, -1, -1))
    assert torch.equal(held[:, :, 2:], plain[:, :, 2:])


def test_what_is_not_visible_is_not_read(context: Callable[..., Context]) -> None:
    readout, seen = cvae(), context([1, 2], 4)
    visible = torch.tensor([[True, False, True, True], [True, True, False, False]])
    hidden = torch.where(visible[..., None], seen.outputs, 1e3)
    found, again = (
        readout.sample(replace(seen, outputs=outputs, visible=visible), noise=NONE).actions
        for outputs in (seen.outputs, hidden)
    )
    assert torch.allclose(found, again, atol=1e-6)
    assert not torch.allclose(readout.sample(seen, noise=NONE).actions, found, rtol=1e-3)


def test_it_overfits_one_batch_and_then_answers_it(
    context: Callable[..., Context], overfit: Callable[..., tuple[float, float]]
) -> None:
    readout, seen, target = (
        cvae(kl_weight=0.1, encoder_layers=1),
        context(list(range(6)), 2),
        torch.randn(6, 4, 3),
    )
    first, last = overfit(readout, seen, target, 150)
    assert last < first / 5
    assert (readout.sample(seen, noise=NONE).actions[:, 0] - target).abs().mean() < 0.3


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"latent": 0}, "must be at least 1 .* got 3200, 4, 1, 0 and 512 with 8 heads"),
        ({"width": 100}, "width a multiple of heads .* and 100 with 8 heads"),
        ({"kl_weight": -1.0}, r"kl_weight must be at least 0, got -1\.0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        CvaeConfig(**settings)
