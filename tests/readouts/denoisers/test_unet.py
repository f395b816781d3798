import copy
import math
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from octoverse.errors import SpecMismatch
from octoverse.readouts.denoisers.denoiser import Condition
from octoverse.readouts.denoisers.unet import UNet, UNetConfig


def network(horizon: int = 8, **settings: Any) -> UNet:
    torch.manual_seed(0)
    small = {"widths": (16, 32, 64), "groups": 4, "time_width": 8, **settings}
    return UNetConfig(**small).build(2, 6, horizon, 3).eval()


def condition(batch: int = 3) -> Condition:
    return Condition(torch.randn(batch, 2, 6), torch.ones(batch, 2, dtype=torch.bool))


def with_convolutions(made: UNet, x: Tensor, time: Tensor, words: Tensor, levels: int) -> Tensor:
    """The network as Diffusion Policy writes it, from its parameters in order."""
    left: Iterator[Tensor] = iter(made.parameters())

    def take() -> tuple[Tensor, Tensor]:
        return next(left), next(left)

    angle = time[:, None] * torch.exp(torch.arange(4) * -(math.log(10000) / 3))
    moment = torch.cat([angle.sin(), angle.cos()], -1)
    moment = F.linear(F.mish(F.linear(moment, *take())), *take())
    known = F.mish(torch.cat([moment, words.flatten(1)], -1))

    def normed(x: Tensor) -> Tensor:
        (weight, bias), (scale, shift) = take(), take()
        return F.mish(F.group_norm(F.conv1d(x, weight, bias, padding="same"), 4, scale, shift))

    def block(x: Tensor, inputs: int, outputs: int) -> Tensor:
        out = normed(x)
        scale, shift = F.linear(known, *take())[..., None].chunk(2, 1)
        out = normed(scale * out + shift)
        return out + (F.conv1d(x, *take()) if inputs != outputs else x)

    widths, before, skips = [16 * 2**level for level in range(levels)], 3, []
    x = x.transpose(1, 2)
    for level, wide in enumerate(widths):
        x = block(block(x, before, wide), wide, wide)
        skips.append(x)
        if level < levels - 1:
            weight, bias = take()
            x = F.conv1d(x, weight, bias, stride=2, padding=1)
        before = wide
    x = block(block(x, before, before), before, before)
    for wide in widths[:0:-1]:
        x = torch.cat([x, skips.pop()], 1)
        x = block(block(x, 2 * wide, wide // 2), wide // 2, wide // 2)
        weight, bias = take()
        x = F.conv_transpose1d(x, weight, bias, stride=2, padding=1)
    x = F.conv1d(normed(x), *take())
    assert not list(left)
    return x.transpose(1, 2)


@pytest.mark.parametrize(("levels", "kernel"), [(3, 5), (2, 3), (1, 1)])
def test_it_is_diffusion_policy_s_network(levels: int, kernel: int) -> None:
    made = network(widths=(16, 32, 64)[:levels], kernel=kernel)
    noised, time, seen = torch.randn(3, 8, 3), torch.tensor([0, 3, 99]), condition()
    with torch.no_grad():
        found = made(noised, time, seen)
        wanted = with_convolutions(made, noised, time, seen.words, levels)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)


def test_its_gradients_are_those_of_the_convolutions() -> None:
    made, seen = network(widths=(16, 32)), condition()
    noised, time = torch.randn(3, 8, 3, requires_grad=True), torch.arange(3)
    asked = [noised, *made.parameters()]
    found = torch.autograd.grad(made(noised, time, seen).square().sum(), asked)
    convolved = with_convolutions(made, noised, time, seen.words, 2)
    wanted = torch.autograd.grad(convolved.square().sum(), asked)
    for ours, theirs in zip(found, wanted, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)


def test_at_the_published_sizes_it_has_as_many_parameters_as_lerobot_s() -> None:
    with torch.device("meta"):
        made = UNetConfig().build(2, 66, 16, 2)
    assert sum(p.numel() for p in made.parameters()) == 251_511_938


@pytest.mark.parametrize("steps", [3, 12])
def test_the_loop_s_steps_are_the_network_at_their_times(steps: int) -> None:
    made, seen, noised = network(), condition(), torch.randn(3, 8, 3)
    times = torch.arange(steps).flip(0) * 7
    with torch.no_grad():
        step = made.along(times, seen)
        for number in (0, 1, steps - 1):
            wanted = made(noised, times[number].expand(3), seen)
            torch.testing.assert_close(step(noised, number), wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("steps", [3, 12])
def test_in_bfloat16_it_is_nearly_the_same(steps: int) -> None:
    made, seen, noised = network(), condition(), torch.randn(3, 8, 3)
    times = torch.arange(steps)
    with torch.no_grad():
        wanted = made(noised, times[2].expand(3), seen)
        with torch.autocast("cpu", torch.bfloat16):
            autocast = made.along(times, seen)
            found = [autocast(noised, 2), made(noised, times[2].expand(3), seen)]
        half = made.to(torch.bfloat16)
        seen = Condition(seen.words.bfloat16(), seen.valid)
        found += [half.along(times, seen)(noised, 2), half(noised, times[2].expand(3), seen)]
    for one in found:
        assert one.dtype == torch.float32
        assert (one - wanted).abs().max() < 0.1 * wanted.abs().max()


def test_the_loop_follows_its_weights_and_training_frees_what_it_kept() -> None:
    made, seen, noised = network(), condition(), torch.randn(3, 8, 3)
    times = torch.arange(3)
    with torch.no_grad():
        made.along(times, seen)
        for parameter in made.parameters():
            parameter.mul_(1.5)
        wanted = made(noised, times[:1].expand(3), seen)
        torch.testing.assert_close(made.along(times, seen)(noised, 0), wanted)
    twin = copy.deepcopy(made)
    torch.testing.assert_close(twin.along(times, seen)(noised, 0), wanted)
    assert made._packed._kept
    made.train()(noised, times, seen)
    assert not made._packed._kept


@pytest.mark.parametrize("horizon", [1, 5, 7, 30])
def test_any_horizon_is_answered_row_by_row(horizon: int) -> None:
    made, seen, noised = network(horizon), condition(), torch.randn(3, horizon, 3)
    time = torch.arange(3)
    assert made(noised, time, seen).shape == (3, horizon, 3)
    padded = network(horizon + -horizon % 4)
    padded.load_state_dict(made.state_dict())
    longer = F.pad(noised, (0, 0, 0, -horizon % 4))
    torch.testing.assert_close(
        made(noised, time, seen), padded(longer, time, seen)[:, :horizon], rtol=1e-4, atol=1e-5
    )


def test_what_is_not_valid_is_as_if_it_were_zero() -> None:
    made, seen, noised, time = network(), condition(), torch.randn(3, 8, 3), torch.arange(3)
    seen.valid[1, 1] = False
    zero = Condition(torch.where(seen.valid[..., None], seen.words, 0), seen.valid)
    seen.words[1, 1] = torch.nan
    assert torch.equal(made(noised, time, seen), made(noised, time, zero))


def test_a_sequence_of_another_length_is_refused() -> None:
    longer = Condition(torch.randn(1, 3, 6), torch.ones(1, 3, dtype=torch.bool))
    words = r"a U-Net for 2 words was given 3: set the readout's `words` to the length"
    with pytest.raises(SpecMismatch, match=words):
        network()(torch.randn(1, 8, 3), torch.zeros(1, dtype=torch.int64), longer)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"widths": ()}, r"widths and groups must be at least 1, got \(\) and 8"),
        ({"groups": 0}, "widths and groups must be at least 1, got .* and 0"),
        ({"widths": (16, 20)}, r"every width must be divisible by groups \(8\), got 20"),
        ({"kernel": 4}, "kernel must be odd and time_width an even number .* got 4 and 128"),
        ({"time_width": 2}, "an even number of at least 4, got 5 and 2"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        UNetConfig(**settings)
