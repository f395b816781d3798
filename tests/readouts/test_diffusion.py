import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from octoverse import noise as seeded
from octoverse.precision import autocast, lower
from octoverse.readout import Context, TrunkShape
from octoverse.readouts.denoisers.denoiser import Condition
from octoverse.readouts.denoisers.mlp_resnet import MlpResNetConfig
from octoverse.readouts.denoisers.transformer import TransformerConfig
from octoverse.readouts.denoisers.unet import UNetConfig
from octoverse.readouts.diffusion import Diffusion, DiffusionConfig

TRUNK = TrunkShape(width=16, layers=2, heads=2)
SMALL: dict[str, Any] = {
    "mlp_resnet": MlpResNetConfig(hidden=32, blocks=2, time_width=8),
    "unet": UNetConfig(widths=(16, 32), kernel=3, groups=4, time_width=8),
    "transformer": TransformerConfig(width=16, layers=2, heads=2),
}
EVERY = pytest.mark.parametrize("denoiser", list(SMALL))
PREDICT = pytest.mark.parametrize("predict", ["epsilon", "x0", "v"])


def diffusion(horizon: int = 4, size: int = 3, **settings: Any) -> Diffusion:
    torch.manual_seed(0)
    return DiffusionConfig(**{**SMALL, **settings}).build(TRUNK, horizon, size)


def octo_s(folder: Path) -> Diffusion:
    """The head of the fixture, with its weights."""
    flat = np.load(folder / "params.npz")
    names = {
        "time.0": "cond_encoder/Dense_0",
        "time.2": "cond_encoder/Dense_1",
        "enter": "reverse_network/Dense_0",
        "leave": "reverse_network/Dense_1",
    }
    for number in range(3):
        for ours, theirs in (("widen", "Dense_0"), ("narrow", "Dense_1"), ("norm", "LayerNorm_0")):
            block = f"reverse_network/MLPResNetBlock_{number}"
            names[f"blocks.{number}.{ours}"] = f"{block}/{theirs}"
    head = "heads_action/diffusion_model"
    state = {"frequency": torch.from_numpy(flat[f"{head}/time_preprocess/kernel"][:, 0])}
    for ours, theirs in names.items():
        kind = "scale" if ours.endswith("norm") else "kernel"
        state[f"{ours}.weight"] = torch.from_numpy(flat[f"{head}/{theirs}/{kind}"].T)
        state[f"{ours}.bias"] = torch.from_numpy(flat[f"{head}/{theirs}/bias"])
    config = DiffusionConfig(mlp_resnet=MlpResNetConfig(hidden=48))
    found = config.build(TrunkShape(width=64, layers=2, heads=4), 4, 7)
    found.denoiser.load_state_dict(state)  # type: ignore[attr-defined]
    return found


def test_it_loses_as_octo_does(real_data: Callable[[str], Path]) -> None:
    folder = real_data("octo_parity_tiny")
    told, given = np.load(folder / "outputs.npz"), np.load(folder / "inputs.npz")
    real = given["observation/timestep_pad_mask"][..., None, None] & given["action_pad_mask"]
    loss = octo_s(folder).judge(
        _words(told, [0, 1]),
        torch.from_numpy(given["action"]).flatten(0, 1),
        torch.from_numpy(real).flatten(0, 1),
        torch.from_numpy(told["loss/noise"]).reshape(4, 4, 7),
        torch.from_numpy(told["loss/time"]).flatten().long(),
    )
    # Octo adds up the numbers of an action, of which we take the mean.
    assert loss.total.item() * 7 == pytest.approx(float(told["loss/value"]), rel=1e-4)
    assert loss.count == real.sum()


@pytest.mark.parametrize(
    ("numbers", "name"), [(7, "sample/actions"), (5, "sample/actions_embodiment_dim5")]
)
def test_it_samples_as_octo_does(real_data: Callable[[str], Path], numbers: int, name: str) -> None:
    folder = real_data("octo_parity_tiny")
    told = np.load(folder / "outputs.npz")
    start = torch.from_numpy(told["sample/initial_noise"])[:, 1].reshape(2, 4, 7)
    noises = torch.from_numpy(told["sample/step_noises"])[:, :, 1].reshape(20, 2, 4, 7)
    valid = (torch.arange(7) < numbers).expand(2, 4, 7)
    found = octo_s(folder).denoise(_words(told, [1]), start, list(noises), valid=valid)
    np.testing.assert_allclose(
        found[..., :numbers], told[name][..., :numbers], rtol=1e-4, atol=1e-5
    )
    assert not found[..., numbers:].any()


def _words(told: Any, steps: list[int]) -> Condition:
    words = torch.from_numpy(told["full/transformer/readout_action/tokens"])[:, steps]
    return Condition(words.flatten(0, 1), torch.ones(len(steps) * 2, 1, dtype=torch.bool))


@EVERY
def test_a_sample_s_loss_does_not_depend_on_its_neighbours(
    context: Callable[..., Context], denoiser: str
) -> None:
    readout, target = diffusion(denoiser=denoiser), torch.randn(3, 4, 3)
    valid = torch.rand(3, 4, 3) < 0.7
    alone = [
        readout.loss(context([seed]), target[i : i + 1], valid[i : i + 1])
        for i, seed in enumerate([5, 6, 7])
    ]
    together = readout.loss(context([5, 6, 7]), target, valid)
    counts = torch.stack([one.count for one in alone])
    expected = (torch.stack([one.total for one in alone]) * counts).sum() / counts.sum()
    assert torch.allclose(together.total, expected, rtol=1e-5)


@EVERY
@PREDICT
def test_what_is_invalid_reaches_neither_loss_nor_gradient(
    context: Callable[..., Context], denoiser: str, predict: str
) -> None:
    readout, target = diffusion(denoiser=denoiser, predict=predict), torch.randn(2, 4, 3)
    valid = torch.rand(2, 4, 3) < 0.5

    def cost() -> tuple[Tensor, list[Tensor]]:
        loss = readout.loss(context([1, 2]), target, valid).total
        return loss.detach(), list(torch.autograd.grad(loss, list(readout.parameters())))

    before, gradient = cost()
    target[~valid] = torch.nan
    after, again = cost()
    assert torch.equal(before, after)
    assert before.isfinite()
    assert all(torch.equal(*pair) for pair in zip(gradient, again, strict=True))


def test_nothing_valid_costs_nothing(context: Callable[..., Context]) -> None:
    readout, target = diffusion(), torch.randn(2, 4, 3)
    loss = readout.loss(context([1, 2]), target, torch.zeros(2, 4, 3, dtype=torch.bool))
    loss.total.backward()
    assert loss.total == 0
    assert not any(p.grad.any() for p in readout.parameters() if p.grad is not None)


@PREDICT
def test_it_is_asked_for_what_it_shall_predict_of_a_chunk_as_noised_as_the_time_says(
    context: Callable[..., Context], predict: str
) -> None:
    readout, target, seen = diffusion(predict=predict, clip=1.0), torch.randn(5, 4, 3), []
    where = context(list(range(5)))
    start, chunk = seeded.normal(where.seeds, 1, (4, 3)), target.clamp(-1, 1)

    def knowing(noised: Tensor, time: Tensor, condition: Condition) -> Tensor:
        kept = readout.schedule.alpha_hats[time].float()[:, None, None]
        assert torch.allclose(noised, kept.sqrt() * chunk + (1 - kept).sqrt() * start, atol=1e-6)
        seen.extend(time.tolist())
        velocity = kept.sqrt() * start - (1 - kept).sqrt() * chunk
        return {"epsilon": start, "x0": chunk, "v": velocity}[predict]

    del readout.denoiser
    readout.denoiser = knowing  # type: ignore[assignment]
    assert readout.loss(where, target, torch.ones_like(target) > 0).total < 1e-12
    assert len(set(seen)) > 1
    assert 0 <= min(seen) <= max(seen) < 20


def test_all_times_are_drawn_alike(context: Callable[..., Context]) -> None:
    readout, seen = diffusion(), []

    def listening(noised: Tensor, time: Tensor, condition: Condition) -> Tensor:
        seen.append(time)
        return noised

    del readout.denoiser
    readout.denoiser = listening  # type: ignore[assignment]
    target = torch.zeros(4000, 4, 3)
    readout.loss(context(list(range(4000))), target, target == 0)
    counts = seen[0].bincount(minlength=20)
    assert len(counts) == 20
    assert (counts - 200).abs().max() < 60


@EVERY
def test_it_overfits_one_batch_and_then_makes_its_actions_from_any_noise(
    context: Callable[..., Context], denoiser: str
) -> None:
    readout = diffusion(denoiser=denoiser, steps=10, predict="x0", clip=3.0, clips="clean")
    target, few = torch.randn(3, 4, 3).clamp(-2, 2), context([0, 1, 2])
    many, wanted = context([0, 1, 2] * 8), target.repeat(8, 1, 1)
    optimizer, losses = torch.optim.Adam(readout.parameters(), 4e-3), []
    for step in range(150):
        seen = replace(many, seeds=torch.arange(24) + 24 * step)  # new noise for the same samples
        loss = readout.loss(seen, wanted, torch.ones_like(wanted) > 0).total
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert sum(losses[-20:]) / 20 < losses[0] / 10
    for sampler, steps in (("ddpm", 10), ("ddim", 4)):
        readout.sampler, readout.inference_steps = sampler, steps  # type: ignore[assignment]
        drawn = readout.sample(few, noise=torch.randn(3, 4, 4, 3), samples=4).actions
        assert (drawn - target[:, None]).abs().mean() < 0.3
        assert drawn.shape == (3, 4, 4, 3)


@EVERY
@pytest.mark.parametrize("sampler", ["ddpm", "ddim"])
def test_a_sample_depends_on_its_own_observation_seed_and_noise_alone(
    context: Callable[..., Context], denoiser: str, sampler: str
) -> None:
    readout = diffusion(denoiser=denoiser, sampler=sampler, inference_steps=7)
    start = torch.randn(3, 2, 4, 3)
    together = readout.sample(context([1, 2, 3]), noise=start, samples=2)
    assert together.scores is None  # a likelihood would need an integral; no number stands for it
    for i, seed in enumerate([1, 2, 3]):
        alone = readout.sample(context([seed]), noise=start[i : i + 1], samples=2).actions
        assert torch.allclose(alone[0], together.actions[i], rtol=1e-4, atol=1e-5)
    first = readout.sample(context([1, 2, 3]), noise=start[:, :1]).actions
    assert torch.allclose(first, together.actions[:, :1], rtol=1e-4, atol=1e-5)
    another = readout.sample(context([1, 2, 4]), noise=start, samples=2).actions
    assert torch.allclose(another[:2], together.actions[:2], rtol=1e-4, atol=1e-5)


def test_ddpm_steps_follow_the_seed_and_ddim_steps_need_none(
    context: Callable[..., Context],
) -> None:
    readout, start = diffusion(), torch.randn(1, 1, 4, 3)
    one = context([1])
    other = replace(one, seeds=torch.tensor([2]))
    assert not torch.allclose(
        readout.sample(one, noise=start).actions, readout.sample(other, noise=start).actions
    )
    readout.sampler = "ddim"
    assert torch.equal(
        readout.sample(one, noise=start).actions, readout.sample(other, noise=start).actions
    )


@EVERY
@pytest.mark.parametrize("sampler", ["ddpm", "ddim"])
@pytest.mark.parametrize("clips", ["noised", "clean"])
def test_a_prefix_is_kept_and_shapes_what_follows(
    context: Callable[..., Context], denoiser: str, sampler: str, clips: str
) -> None:
    readout = diffusion(denoiser=denoiser, sampler=sampler, clips=clips, inference_steps=8)
    start, prefix = torch.randn(2, 2, 4, 3), torch.randn(2, 2, 3)
    plain = readout.sample(context([1, 2]), noise=start, samples=2).actions
    held = readout.sample(context([1, 2]), noise=start, samples=2, prefix=prefix).actions
    assert torch.equal(held[:, 0, :2], prefix)
    assert torch.equal(held[:, 1, :2], prefix)
    assert not torch.allclose(held[:, :, 2:], plain[:, :, 2:], atol=1e-4)
    again = torch.cat([prefix, torch.randn(2, 1, 3)], 1)
    longer = readout.sample(context([1, 2]), noise=start, samples=2, prefix=again).actions
    assert torch.equal(longer[:, 1, :3], again)


@EVERY
@pytest.mark.parametrize("sampler", ["ddpm", "ddim"])
def test_numbers_that_do_not_exist_come_out_as_0_and_change_nothing(
    context: Callable[..., Context], denoiser: str, sampler: str
) -> None:
    readout = diffusion(denoiser=denoiser, sampler=sampler)
    valid = torch.ones(2, 4, 3, dtype=torch.bool)
    valid[0, :, 2] = valid[1, 3] = False
    start, prefix = torch.randn(2, 2, 4, 3), torch.randn(2, 2, 3)

    def drawn() -> Tensor:
        return readout.sample(
            context([1, 2]), noise=start, samples=2, prefix=prefix, valid=valid
        ).actions

    before = drawn()
    start[~valid[:, None].expand(-1, 2, -1, -1)] = torch.nan
    prefix[~valid[:, :2]] = torch.nan
    after = drawn()
    assert torch.equal(before, after)
    assert before.isfinite().all()
    assert not before[:, 0][~valid].any()
    everything = torch.ones_like(valid)
    whole = readout.sample(context([1, 2]), noise=start.nan_to_num(), samples=2).actions
    same = readout.sample(
        context([1, 2]), noise=start.nan_to_num(), samples=2, valid=everything
    ).actions
    assert torch.equal(whole, same)


@pytest.mark.parametrize("clips", ["noised", "clean"])
def test_no_number_is_beyond_the_clip(context: Callable[..., Context], clips: str) -> None:
    start = 9 * torch.randn(2, 3, 4, 3)
    for clip in (1.0, 0.2):
        readout = diffusion(clip=clip, clips=clips)
        drawn = readout.sample(context([1, 2]), noise=start, samples=3).actions
        assert drawn.abs().max() <= clip
    free = diffusion(clip=None).sample(context([1, 2]), noise=start, samples=3).actions
    assert free.abs().max() > 1


def test_the_number_of_steps_is_chosen_when_it_acts(context: Callable[..., Context]) -> None:
    readout, start = diffusion(sampler="ddim"), torch.randn(1, 1, 4, 3)
    few = diffusion(sampler="ddim", inference_steps=5)
    whole = readout.sample(context([1]), noise=start).actions
    assert [step.time for step in readout.steps()] == list(range(19, -1, -1))
    readout.inference_steps = 5
    assert [step.time for step in readout.steps()] == [16, 12, 8, 4, 0]
    assert torch.equal(
        readout.sample(context([1]), noise=start).actions,
        few.sample(context([1]), noise=start).actions,
    )
    assert not torch.equal(readout.sample(context([1]), noise=start).actions, whole)
    readout.inference_steps = 21
    with pytest.raises(ValueError, match=r"inference_steps must be 1 to 20, .* got 21"):
        readout.sample(context([1]), noise=start)


@EVERY
def test_every_output_that_it_may_read_can_be_the_condition(
    context: Callable[..., Context], denoiser: str
) -> None:
    readout = diffusion(denoiser=denoiser, reads="outputs", token_count=0, words=5)
    seen = context([1, 2])
    outputs, visible = torch.randn(2, 5, 16), torch.ones(2, 5, dtype=torch.bool)
    visible[:, 3] = False
    seen = replace(seen, own=seen.own[:, :, :0], outputs=outputs, visible=visible)
    start = torch.randn(2, 1, 4, 3)
    before = readout.sample(seen, noise=start).actions
    outputs[:, 3] = torch.nan
    assert torch.equal(readout.sample(seen, noise=start).actions, before)
    outputs[:, 2] += 1
    assert not torch.equal(readout.sample(seen, noise=start).actions, before)
    assert readout.tokens(2, None).values.shape == (2, 1, 0, 16)


def test_its_tokens_are_blank() -> None:
    made = diffusion(token_count=2).tokens(3, torch.randn(3, 4, 3))
    assert made.values.shape == (3, 1, 2, 16)
    assert not made.values.any()
    assert made.valid.all()


@EVERY
def test_lowered_it_samples_nearly_the_same(context: Callable[..., Context], denoiser: str) -> None:
    readout = diffusion(denoiser=denoiser, predict="x0").eval()
    start, few = torch.randn(2, 1, 4, 3), context([1, 2])
    wanted = readout.sample(few, noise=start).actions
    lower(readout)
    for seen in (few, replace(few, own=few.own.bfloat16())):
        with autocast(start.device, True):
            found = readout.sample(seen, noise=start).actions
        assert found.dtype == torch.float32
        assert torch.allclose(found, wanted, atol=0.1)


@EVERY
def test_in_bfloat16_its_times_stay_exact(context: Callable[..., Context], denoiser: str) -> None:
    readout, start = diffusion(denoiser=denoiser, predict="x0"), torch.randn(2, 1, 4, 3)
    wanted = readout.sample(context([1, 2]), noise=start).actions
    half, seen = readout.to(torch.bfloat16), context([1, 2])
    seen = replace(seen, own=seen.own.bfloat16())
    found = half.sample(seen, noise=start).actions
    assert found.dtype == torch.float32
    assert torch.allclose(found, wanted, atol=0.1)
    target = torch.randn(2, 4, 3)
    assert half.loss(seen, target, torch.ones_like(target) > 0).total.isfinite()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"steps": 0}, "steps must be at least 1 and inference_steps 1 to steps, got 0 and 0"),
        ({"inference_steps": 21}, "inference_steps 1 to steps, got 20 and 21"),
        ({"inference_steps": 0}, "inference_steps 1 to steps, got 20 and 0"),
        ({"clip": 0.0}, "clip must be above 0, got 0.0"),
        ({"clip": math.nan}, "clip must be above 0, got nan"),
        ({"token_count": 0}, "token_count must be at least 1 where reads is own, got 0"),
        (
            {"reads": "outputs", "denoiser": "unet"},
            "words must say how long the sequence is where a unet reads outputs, got 0",
        ),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        DiffusionConfig(**settings)
