from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from octoverse.readout import Context, TrunkShape
from octoverse.readouts.truncated_diffusion import (
    TruncatedDiffusion,
    TruncatedDiffusionConfig,
    focal,
)

TRUNK = TrunkShape(width=16, layers=2, heads=2)
READS = 6
"""Outputs that there are to read."""


def made(codes: Tensor | None = None, **settings: Any) -> TruncatedDiffusion:
    """A readout whose anchors are learned from these codes."""
    torch.manual_seed(0)
    chunks = torch.randn(30, 4, 3) if codes is None else codes
    config = TruncatedDiffusionConfig(**{"anchors": 5, **settings})
    readout = config.build(TRUNK, *chunks.shape[1:])
    readout.fit(chunks, torch.ones_like(chunks) > 0)
    return readout


def train(readout: TruncatedDiffusion, seen: Context, target: Tensor, steps: int) -> float:
    """Train with new noise in every step; the loss at last."""
    optimizer = torch.optim.Adam(readout.parameters(), 5e-3)
    valid = torch.ones_like(target, dtype=torch.bool)
    for step in range(steps):
        noised = replace(seen, seeds=seen.seeds + 1000 * (step + 1))
        loss = readout.loss(noised, target, valid).total
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return loss.item()


def test_the_schedule_is_that_of_the_published_model() -> None:
    """Betas from 0.0001 to 0.02, linear in their roots."""
    betas = np.linspace(0.0001**0.5, 0.02**0.5, 1000) ** 2
    assert np.allclose(made().kept.numpy(), np.cumprod(1 - betas), atol=1e-6)


def test_training_noises_by_fewer_than_50_steps_and_inference_begins_at_8(
    context: Callable[..., Context], monkeypatch: pytest.MonkeyPatch
) -> None:
    readout, times = made(inference_steps=3), list[Tensor]()
    forward = readout.cascade.forward

    def listening(points: Tensor, time: Tensor, *rest: Tensor) -> Any:
        times.append(time)
        return forward(points, time, *rest)

    monkeypatch.setattr(readout.cascade, "forward", listening)
    seen, target = context(list(range(300)), READS), torch.randn(300, 4, 3)
    readout.loss(seen, target, target == target)
    assert times[0].min() == 0 and times[0].max() == 49
    assert (times[1] <= times[0]).all() and (times[1] < times[0])[times[0] > 0].all()
    times.clear()
    readout.sample(context([1, 2], READS), noise=torch.randn(2, 1, 4, 3))
    assert [time.tolist() for time in times] == [[8, 8], [4, 4], [0, 0]]
    times.clear()
    readout.inference_steps = 1
    readout.sample(context([1, 2], READS), noise=torch.randn(2, 1, 4, 3))
    assert [time.tolist() for time in times] == [[8, 8]]


def test_a_ddim_step_is_that_of_the_formula() -> None:
    """The same noise on the same chunk, as much of it as the later time has."""
    readout, clean, noise = made(), torch.randn(2, 5, 4, 3), torch.randn(2, 5, 4, 3)
    kept, now, then = readout.kept, torch.tensor([8, 40]), torch.tensor([0, 11])

    def noised(time: Tensor) -> Tensor:
        share = kept[time][:, None, None, None]
        return share.sqrt() * clean + (1 - share).sqrt() * noise

    chunks = clean * readout.reach + readout.middle
    assert torch.allclose(readout._onward(noised(now), chunks, now, then), noised(then), atol=1e-4)


def test_ranges_are_those_of_valid_numbers() -> None:
    codes = torch.stack([torch.linspace(-3, 5, 40), torch.full((40,), 2.0), torch.zeros(40)], -1)
    valid = torch.ones(40, 1, 3, dtype=torch.bool)
    valid[..., 2] = False
    valid[:3, :, 0] = False
    codes[:3, 0] = 80.0
    readout = TruncatedDiffusionConfig(anchors=4).build(TRUNK, 1, 3)
    readout.fit(codes[:, None], valid)
    lowest = codes[3, 0].item()
    assert torch.allclose(readout.middle, torch.tensor([(lowest + 5) / 2, 2.0, 0.0]))
    assert torch.allclose(readout.reach, torch.tensor([(5 - lowest) / 2, 1.0, 1.0]))


def test_the_focal_loss_is_that_of_the_formula() -> None:
    logits, truth = torch.randn(3, 5), torch.eye(5)[:3]
    p = 1 / (1 + np.exp(-logits.double().numpy()))
    yes, no = -0.25 * (1 - p) ** 2 * np.log(p), -0.75 * p**2 * np.log(1 - p)
    expected = np.where(truth.numpy() == 1, yes, no)
    assert np.allclose(focal(logits, truth).numpy(), expected, atol=1e-6)


@pytest.mark.parametrize("rehearsed", [True, False])
def test_its_loss_is_that_of_the_nearest_anchor_in_every_layer_of_every_run(
    context: Callable[..., Context], monkeypatch: pytest.MonkeyPatch, rehearsed: bool
) -> None:
    runs = 2 if rehearsed else 1
    readout = made(rehearsed=rehearsed)
    seen, target = context([1, 2], READS), torch.randn(2, 4, 3)
    valid = torch.rand(2, 4, 3) < 0.7
    nearest = readout.anchors.nearest(target, valid)
    truth = torch.nn.functional.one_hot(nearest, 5).float()
    answers, forward = list[tuple[Tensor, Tensor]](), readout.cascade.forward

    def listening(*given: Tensor) -> Any:
        answers.extend(forward(*given))
        return answers[-2:]

    monkeypatch.setattr(readout.cascade, "forward", listening)
    loss, expected = readout.loss(seen, target, valid), torch.zeros(())
    assert len(answers) == 2 * runs
    for points, logits in answers:
        chunks = points * readout.reach + readout.middle
        error = (chunks[[0, 1], nearest] - target).abs()[valid].mean()
        expected = expected + 10 * focal(logits, truth).mean() + 8 * error
    assert torch.isclose(loss.total, expected / runs, rtol=1e-5)
    assert loss.count == valid.sum()


def test_what_is_masked_changes_neither_loss_nor_gradients(
    context: Callable[..., Context],
) -> None:
    readout, target = made(), torch.randn(2, 4, 3)
    valid = torch.ones(2, 4, 3, dtype=torch.bool)
    valid[0, 2:], valid[1, :, 1] = False, False
    kept = []
    for other in (torch.zeros(()), torch.tensor(torch.nan)):
        readout.zero_grad()
        masked = torch.where(valid, target, other)
        loss = readout.loss(context([1, 2], READS), masked, valid).total
        loss.backward()
        kept.append([loss.detach(), *(p.grad for p in readout.parameters())])
    for one, two in zip(*kept, strict=True):
        assert torch.equal(one, two)


def test_numbers_that_do_not_exist_come_out_as_0_and_change_no_others(
    context: Callable[..., Context],
) -> None:
    readout, seen, noise = made(), context([1, 2], READS), torch.randn(2, 2, 4, 3)
    valid = torch.ones(2, 4, 3, dtype=torch.bool)
    valid[:, :, 2] = False
    before = readout.sample(seen, noise=noise, samples=2, valid=valid)
    noise[..., 2] = 5.0
    after = readout.sample(seen, noise=noise, samples=2, valid=valid)
    assert before.scores is not None and after.scores is not None
    assert torch.equal(before.actions, after.actions)
    assert torch.equal(before.scores, after.scores)
    assert not before.actions[..., 2].any() and before.actions[..., :2].all()


def test_two_ways_are_both_found_with_the_likelier_first(context: Callable[..., Context]) -> None:
    """Three of four go left, one goes right, and nothing that is seen tells which."""
    ways = torch.tensor([1.0, 1.0, 1.0, -1.0])[:, None, None] * torch.ones(4, 4, 3)
    readout = made(ways.repeat(3, 1, 1) + 0.05 * torch.randn(12, 4, 3), anchors=2)
    train(readout, context([1, 1, 1, 1], READS), ways, 60)
    found = readout.sample(context([1], READS), noise=torch.randn(1, 2, 4, 3), samples=2)
    assert found.scores is not None
    assert found.scores[0, 0] > found.scores[0, 1] + 0.1
    assert torch.allclose(found.actions[0, 0], torch.ones(4, 3), atol=0.2)
    assert torch.allclose(found.actions[0, 1], -torch.ones(4, 3), atol=0.2)


def test_it_learns_one_batch_by_heart(context: Callable[..., Context]) -> None:
    """However many steps it takes, though the anchors are far from these chunks."""
    readout, seen, target = made(), context(list(range(4)), READS), torch.randn(4, 4, 3)
    train(readout, seen, target, 120)
    anchor = readout.anchors.get()[readout.anchors.nearest(target, target == target)]
    for steps in (1, 2, 4):
        readout.inference_steps = steps
        with torch.inference_mode():
            found = readout.sample(seen, noise=torch.randn(4, 1, 4, 3)).actions[:, 0]
        assert (found - target).abs().mean() < (anchor - target).abs().mean() / 3


def test_a_sample_and_its_loss_do_not_depend_on_its_neighbours(
    context: Callable[..., Context],
) -> None:
    readout, noise, target = made(), torch.randn(2, 2, 4, 3), torch.randn(2, 4, 3)
    valid = torch.ones_like(target, dtype=torch.bool)
    together = readout.sample(context([5, 6], READS), noise=noise, samples=2)
    alone = readout.sample(context([6], READS), noise=noise[1:], samples=2)
    assert torch.allclose(together.actions[1:], alone.actions, atol=1e-5)
    losses = [
        readout.loss(context([seed], READS), target[i : i + 1], valid[i : i + 1]).total
        for i, seed in enumerate([5, 6])
    ]
    both = readout.loss(context([5, 6], READS), target, valid).total
    assert torch.isclose(both, (losses[0] + losses[1]) / 2, rtol=1e-5)


def test_a_prefix_is_kept(context: Callable[..., Context]) -> None:
    readout, noise, prefix = made(), torch.randn(2, 2, 4, 3), torch.randn(2, 2, 3)
    held = readout.sample(context([1, 2], READS), noise=noise, samples=2, prefix=prefix).actions
    assert torch.equal(held[:, :, :2], prefix[:, None].expand(-1, 2, -1, -1))


def test_it_puts_nothing_into_the_sequence() -> None:
    assert TruncatedDiffusionConfig.token_count == 0
    assert made().tokens(3, None).values.shape == (3, 1, 0, 16)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            {"inference_steps": 0},
            "anchors, layers and inference_steps must be at least 1, got 20, 2 and 0",
        ),
        ({"start": 60}, "noised at least start and at most 1000, got 60 and 50"),
        ({"noised": 1001}, "at most 1000, got 8 and 1001"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        TruncatedDiffusionConfig(**settings)
