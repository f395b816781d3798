from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from octoverse import noise
from octoverse.readout import Context, TrunkShape
from octoverse.readouts.flow import Flow, FlowConfig
from octoverse.readouts.flow_path import Solver, fourier

TRUNK = TrunkShape(width=16, layers=1, heads=1)


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
    valid = torch.rand(2, 4, 3) < 0.5
    found = []
    for filling in (torch.zeros(()), torch.tensor(torch.nan)):
        readout.zero_grad()
        given = torch.where(valid, target, filling)
        loss = readout.loss(context([1, 2]), given, valid).total
        loss.backward()
        grads = [p.grad for p in readout.parameters() if p.grad is not None]
        found.append([loss.detach(), *(grad.clone() for grad in grads)])
    assert len(found[0]) > 10
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


def test_numbers_that_do_not_exist_influence_no_sample(context: Callable[..., Context]) -> None:
    readout, start, valid = flow(), torch.randn(2, 3, 4, 3), torch.rand(2, 4, 3) < 0.5
    other = torch.where(valid[:, None], start, torch.randn(2, 3, 4, 3))
    with torch.inference_mode():
        found, same = (
            readout.sample(context([1, 2]), noise=drawn, samples=3, valid=valid).actions
            for drawn in (start, other)
        )
    assert torch.equal(found, same)
    assert torch.equal(found == 0, ~valid[:, None].expand_as(found))


def test_the_straight_way_from_noise_to_data_is_without_loss(
    context: Callable[..., Context],
) -> None:
    readout, target, seen = flow(), torch.randn(2, 4, 3), context([1, 2])
    start = noise.normal(seen.seeds, 1, (4, 3))
    readout.velocity = lambda chunk, condition: target - start  # type: ignore[method-assign]
    assert readout.loss(seen, target, torch.ones_like(target) > 0).total == 0


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


@pytest.mark.parametrize(("steps", "solver"), [(10, "euler"), (4, "euler"), (4, "heun")])
def test_a_sample_is_steps_along_the_velocity(
    context: Callable[..., Context], steps: int, solver: Solver
) -> None:
    """Against the head written out, with as many steps and the way that the readout is told."""
    readout, start, seen = flow(), torch.randn(2, 1, 4, 3), context([1, 2])
    readout.inference_steps, readout.solver = steps, solver

    def velocity(chunk: Tensor, time: float) -> Tensor:
        moment = fourier(torch.full((2,), min(time, 0.999)), 32)
        x = readout.enter(chunk.flatten(1))
        x = x + readout.condition(torch.cat([seen.own[:, 0, 0], moment], -1))
        for layer in readout.layers:
            x = x + layer(x)
        return readout.leave(x).unflatten(-1, (4, 3))

    with torch.inference_mode():
        found = readout.sample(seen, noise=start).actions
        expected = start[:, 0]
        for step in range(steps):
            slope = velocity(expected, step / steps)
            if solver == "heun":
                slope = (slope + velocity(expected + slope / steps, (step + 1) / steps)) / 2
            expected = expected + slope / steps
    assert torch.allclose(found[:, 0], expected, atol=1e-5)


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


def test_it_puts_learned_queries_into_the_sequence() -> None:
    assert flow(token_count=2).tokens(3, None).values.shape == (3, 1, 2, 16)


def test_weights_of_earlier_versions_keep_their_names() -> None:
    assert [name for name in flow().state_dict() if not name.startswith("layers.1")] == [
        "query",
        *("enter.weight", "enter.bias", "condition.weight", "condition.bias"),
        *("layers.0.0.weight", "layers.0.0.bias", "layers.0.1.weight", "layers.0.1.bias"),
        *("layers.0.3.weight", "layers.0.3.bias"),
        *("leave.0.weight", "leave.0.bias", "leave.1.weight", "leave.1.bias"),
    ]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"steps": 0}, "steps must be at least 1, got 0"),
        ({"hidden": 33}, "hidden must be an even number from 2 on, got 33"),
        ({"alpha": 0.0}, "alpha and beta must be above 0, got 0.0 and 1.0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, int], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        FlowConfig(**settings)  # type: ignore[arg-type]
