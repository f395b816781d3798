from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from octoverse import noise
from octoverse.readout import Context, TrunkShape
from octoverse.readouts.flow import Flow, FlowConfig, fourier

TRUNK = TrunkShape(width=16, layers=1, heads=2)


def flow(horizon: int = 4, size: int = 3, **settings: int) -> Flow:
    torch.manual_seed(0)
    return FlowConfig(**{"hidden": 32, "layers": 2, **settings}).build(TRUNK, horizon, size)  # type: ignore[arg-type]


def test_a_sample_s_loss_does_not_depend_on_its_neighbours(
    context: Callable[..., Context],
) -> None:
    readout, target = flow(), torch.randn(3, 4, 3)
    valid = torch.rand(3, 4, 3) < 0.7
    alone = [
        readout.loss(context([seed]), target[i : i + 1], valid[i : i + 1])
        for i, seed in enumerate([5, 6, 7])
    ]
    together = readout.loss(context([5, 6, 7]), target, valid)
    counts = torch.stack([one.count for one in alone])
    expected = (torch.stack([one.total for one in alone]) * counts).sum() / counts.sum()
    assert torch.allclose(together.total, expected, rtol=1e-5)


def test_what_is_invalid_is_never_seen(context: Callable[..., Context]) -> None:
    readout, target = flow(), torch.randn(2, 4, 3)
    valid = torch.ones(2, 4, 3, dtype=torch.bool)
    valid[:, 2:] = False
    before = readout.loss(context([1, 2]), target, valid)
    target[:, 2:] = torch.nan
    assert torch.equal(readout.loss(context([1, 2]), target, valid).total, before.total)


def test_it_flows_from_noise_to_data(context: Callable[..., Context]) -> None:
    """The straight way from the noise of the seed to the target is without loss."""
    readout, target, seen = flow(), torch.randn(2, 4, 3), context([1, 2])
    start = noise.normal(seen.seeds, 1, (4, 3))
    times = []

    def straight(words: Tensor, noised: Tensor, time: Tensor) -> Tensor:
        times.append(time)
        along = time[:, None, None]
        assert torch.allclose(noised, along * target + (1 - along) * start, atol=1e-5)
        return target - start

    readout.velocity = straight  # type: ignore[method-assign]
    assert readout.loss(seen, target, torch.ones_like(target) > 0).total == 0
    assert times[0].shape == (2,)


def test_times_prefer_noise_as_in_pi0(context: Callable[..., Context]) -> None:
    readout, seen, times = flow(), context(list(range(3000))), []

    def listening(words: Tensor, noised: Tensor, time: Tensor) -> Tensor:
        times.append(time)
        return torch.zeros_like(noised)

    readout.velocity = listening  # type: ignore[method-assign]
    target = torch.zeros(3000, 4, 3)
    readout.loss(seen, target, target == 0)
    assert 0 <= times[0].min() < 0.01 and 0.9 < times[0].max() < 0.999
    assert abs(times[0].mean() - 0.999 * 0.4) < 0.01  # the mean of 1 - Beta(1.5, 1) is 0.4


def test_it_overfits_one_batch_and_then_makes_its_actions_from_any_noise(
    context: Callable[..., Context],
) -> None:
    readout, target, few = flow(hidden=64), torch.randn(4, 4, 3), context([0, 1, 2, 3])
    optimizer, losses = torch.optim.Adam(readout.parameters(), 3e-3), []
    many, wanted = context([0, 1, 2, 3] * 16), target.repeat(16, 1, 1)
    for step in range(400):
        seeds = torch.arange(64) + 64 * step  # new noise and times for the same samples
        seen = replace(many, seeds=seeds)
        loss = readout.loss(seen, wanted, torch.ones_like(wanted) > 0).total
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.detach().item())
    assert sum(losses[-30:]) < sum(losses[:3])  # a tenth
    with torch.inference_mode():
        drawn = readout.sample(few, noise=torch.randn(4, 5, 4, 3), samples=5).actions
    assert (drawn - target[:, None]).abs().mean() < 0.2


def test_a_sample_is_ten_euler_steps_along_the_velocity(context: Callable[..., Context]) -> None:
    readout, start, seen = flow(), torch.randn(2, 1, 4, 3), context([1, 2])
    with torch.inference_mode():
        found = readout.sample(seen, noise=start).actions
        expected = start[:, 0]
        for step in range(10):
            time = torch.full((2,), step / 10)
            expected = (
                expected + readout.velocity(context([1, 2]).own[:, 0, 0], expected, time) / 10
            )
    assert torch.allclose(found[:, 0], expected, atol=1e-6)


def test_each_of_several_samples_belongs_to_its_own_observation(
    context: Callable[..., Context],
) -> None:
    readout, start = flow(), torch.randn(2, 3, 4, 3)
    with torch.inference_mode():
        many = readout.sample(context([1, 2]), noise=start, samples=3).actions
        for k in range(3):
            one = readout.sample(context([1, 2]), noise=start[:, k : k + 1]).actions
            assert torch.allclose(many[:, k], one[:, 0], rtol=1e-5, atol=1e-6)


def test_a_prefix_is_kept_and_shapes_what_follows(context: Callable[..., Context]) -> None:
    readout, start, prefix = flow(), torch.randn(2, 2, 4, 3), torch.randn(2, 2, 3)
    with torch.inference_mode():
        plain = readout.sample(context([1, 2]), noise=start, samples=2).actions
        held = readout.sample(context([1, 2]), noise=start, samples=2, prefix=prefix).actions
    assert torch.equal(held[:, 0, :2], prefix)
    assert torch.equal(held[:, 1, :2], prefix)
    assert not torch.allclose(held[:, :, 2:], plain[:, :, 2:], atol=1e-4)


def test_moments_far_and_near_are_told_apart() -> None:
    times = torch.linspace(0, 1, 101)
    words = fourier(times, 64)
    assert words.shape == (101, 64)
    assert torch.allclose(words[:, :32] ** 2 + words[:, 32:] ** 2, torch.ones(101, 32), atol=1e-5)
    apart = torch.cdist(words, words) + 99 * torch.eye(101)
    assert apart.min() > 0.05
    assert flow(token_count=2).tokens(3, None).values.shape == (3, 1, 2, 16)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"steps": 0}, "steps must be at least 1 and hidden an even number, got 0 and 256"),
        ({"hidden": 33}, "hidden an even number, got 10 and 33"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, int], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        FlowConfig(**settings)  # type: ignore[arg-type]
