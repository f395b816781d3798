import math

import pytest
import torch
from torch import Tensor

from octoverse import noise
from octoverse.readouts.flow_path import Solver, follow, fourier, moments, noised


def test_a_sample_lies_on_the_straight_path_from_its_noise_to_its_target() -> None:
    target, seeds = torch.randn(2, 4, 3), torch.tensor([1, 2])
    chunk, time, velocity = noised(target, target == target, seeds, alpha=1.5, beta=1.0)
    start, along = noise.normal(seeds, 1, (4, 3)), time[:, None, None]
    assert time.shape == (2,)
    assert torch.allclose(chunk, along * target + (1 - along) * start)
    assert torch.equal(velocity, target - start)


def test_where_a_sample_is_looked_at_does_not_depend_on_its_neighbours() -> None:
    target, seeds = torch.randn(3, 4, 2), torch.tensor([5, 6, 7])
    together = noised(target, target == target, seeds, alpha=1.5, beta=1.0)
    for i in range(3):
        one = target[i : i + 1]
        alone = noised(one, one == one, seeds[i : i + 1], alpha=1.5, beta=1.0)
        assert all(torch.equal(a[0], t[i]) for a, t in zip(alone, together, strict=True))


def test_what_does_not_exist_is_zero_on_the_path() -> None:
    target, valid = torch.randn(2, 4, 3), torch.rand(2, 4, 3) < 0.5
    target[~valid] = torch.nan
    chunk, _, velocity = noised(target, valid, torch.tensor([1, 2]), alpha=1.5, beta=1.0)
    assert torch.equal(chunk == 0, ~valid)
    assert velocity.isfinite().all()


@pytest.mark.parametrize(("alpha", "beta"), [(1.5, 1.0), (1.0, 1.0), (2.0, 5.0), (0.5, 0.5)])
def test_times_are_what_a_beta_distribution_leaves(alpha: float, beta: float) -> None:
    count = 20000
    target = torch.zeros(count, 1, 1)
    seeds = torch.arange(count)
    _, time, _ = noised(target, target == 0, seeds, alpha=alpha, beta=beta)
    left = 1 - time / 0.999
    mean, both = alpha / (alpha + beta), alpha + beta
    variance = alpha * beta / (both**2 * (both + 1))
    assert 0 <= time.min() and time.max() <= 0.999
    assert abs(left.mean() - mean) < 4 * math.sqrt(variance / count)
    assert abs(left.var() / variance - 1) < 0.05
    if beta == 1:
        half = (left < 0.5).float().mean()
        assert abs(half - 0.5**alpha) < 0.015


def errors(solver: Solver, steps: int) -> float:
    """How far the solver ends from where the flow from N(0, 1) to N(2, 0.3²) is known to end."""
    middle, spread = 2.0, 0.3

    def velocity(x: Tensor, step: int) -> Tensor:
        time = step / steps
        variance = (time * spread) ** 2 + (1 - time) ** 2
        return middle + (time * spread**2 - (1 - time)) / variance * (x - time * middle)

    start = torch.linspace(-2, 2, 9, dtype=torch.float64).reshape(1, 9, 1, 1)
    found = follow(velocity, start, samples=9, steps=steps, solver=solver)
    return (found - (middle + spread * start)).abs().max().item()


def test_heun_is_more_accurate_than_euler_on_a_known_linear_flow() -> None:
    assert errors("heun", 10) < errors("euler", 20) / 2  # for as many velocities
    assert 1.7 < errors("euler", 100) / errors("euler", 200) < 2.3
    assert 3.4 < errors("heun", 100) / errors("heun", 200) < 4.6


@pytest.mark.parametrize(("solver", "asked"), [("euler", [0, 1, 2]), ("heun", [0, 1, 1, 2, 2, 3])])
def test_each_step_asks_at_its_own_moments(solver: Solver, asked: list[int]) -> None:
    seen = list[int]()

    def velocity(x: Tensor, step: int) -> Tensor:
        seen.append(step)
        return torch.ones_like(x)

    start = torch.randn(2, 1, 4, 3)
    found = follow(velocity, start, samples=1, steps=3, solver=solver)
    assert seen == asked
    assert torch.allclose(found, start + 1)
    assert torch.allclose(moments(3, start.device), torch.tensor([0, 1 / 3, 2 / 3, 0.999]))


@pytest.mark.parametrize("solver", ["euler", "heun"])
def test_a_prefix_goes_its_own_straight_way_and_ends_exactly(solver: Solver) -> None:
    start, prefix = torch.randn(2, 3, 4, 2), torch.randn(2, 2, 2)

    def velocity(x: Tensor, step: int) -> Tensor:
        along = step / 5
        expected = along * prefix[:, None] + (1 - along) * start[:, :, :2]
        assert torch.allclose(x[:, :, :2], expected, atol=1e-6)
        return torch.randn_like(x)

    found = follow(velocity, start, samples=3, steps=5, solver=solver, prefix=prefix)
    assert torch.equal(found[:, :, :2], prefix[:, None].expand(-1, 3, -1, -1))


@pytest.mark.parametrize("solver", ["euler", "heun"])
def test_what_does_not_exist_stays_zero_whatever_noise_and_prefix_hold(solver: Solver) -> None:
    start, valid, prefix = torch.randn(2, 3, 4, 2), torch.rand(2, 4, 2) < 0.5, torch.randn(2, 2, 2)
    start[~valid[:, None].expand_as(start)] = torch.nan
    prefix[~valid[:, :2]] = torch.nan

    def velocity(x: Tensor, step: int) -> Tensor:
        assert torch.equal(x == 0, ~valid[:, None].expand_as(x))
        return torch.randn_like(x)

    settings = {"samples": 3, "steps": 4, "prefix": prefix, "valid": valid}
    found = follow(velocity, start, solver=solver, **settings)  # type: ignore[arg-type]
    assert torch.equal(found == 0, ~valid[:, None].expand_as(found))


def test_moments_far_and_near_are_told_apart() -> None:
    words = fourier(torch.linspace(0, 1, 101), 64)
    assert words.shape == (101, 64)
    assert torch.allclose(words[:, :32] ** 2 + words[:, 32:] ** 2, torch.ones(101, 32), atol=1e-5)
    apart = torch.cdist(words, words) + 99 * torch.eye(101)
    assert apart.min() > 0.05


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"steps": 0}, "steps must be at least 1, got 0"),
        ({"samples": 2}, r"noise: expected 2 samples, got \(2, 1, 4, 3\)"),
        (
            {"prefix": torch.zeros(2, 5, 3)},
            r"prefix: expected \(2, up to 4 rows, 3\), got \(2, 5, 3\)",
        ),
        (
            {"prefix": torch.zeros(2, 2, 4)},
            r"prefix: expected \(2, up to 4 rows, 3\), got \(2, 2, 4\)",
        ),
    ],
)
def test_what_does_not_fit_is_refused(settings: dict[str, object], words: str) -> None:
    given = {"samples": 1, "steps": 2, "solver": "euler", **settings}
    with pytest.raises(ValueError, match=words):
        follow(lambda x, step: x, torch.zeros(2, 1, 4, 3), **given)  # type: ignore[arg-type]
