"""The straight path from noise to data: where to look at it in training, and how to follow it.

Source: Lipman et al., "Flow matching", 2023; Black et al., "π0", 2024, section IV and appendix B.
Time runs from noise (0) to data (1), as in that paper; its published code counts the other way.
"""

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from octoverse import noise as sample_noise

Solver = Literal["euler", "heun"]
LATEST = 0.999
"""No training time is later (π0's s): at the very end there is nothing left to learn."""
_NOISE, _TIME = 1, 2
_FINE, _COARSE = 2**16, 2**12


def check_settings(steps: int, alpha: float, beta: float) -> None:
    """Refuse settings of a flow that make no sense.

    Raises:
        ValueError: if there are no steps, or alpha and beta are not those of a Beta distribution.
    """
    _check_steps(steps)
    if not (alpha > 0 and beta > 0):
        raise ValueError(f"alpha and beta must be above 0, got {alpha} and {beta}.")


def noised(
    target: Float[Tensor, "b h a"],
    valid: Bool[Tensor, "b h a"],
    seeds: Int[Tensor, " b"],
    *,
    alpha: float,
    beta: float,
) -> tuple[Float[Tensor, "b h a"], Float[Tensor, " b"], Float[Tensor, "b h a"]]:
    """A place on each sample's path, drawn by its seed.

    Args:
        target: Where the paths end; what it holds where `valid` is false never matters.
        valid: Numbers that exist; the others are 0 on the path, as they are in sampling.
        seeds: One per sample.
        alpha: Of the Beta distribution of what is left of the time.
        beta: The same; π0's Beta(1.5, 1) prefers times near the noise, Beta(1, 1) none.

    Returns:
        The chunks at their times, the times, and the velocities there.
    """
    target = torch.where(valid, target, 0)
    start = sample_noise.normal(seeds, _NOISE, tuple(target.shape[1:]))
    time = LATEST * (1 - _beta(sample_noise.uniform(seeds, _TIME, ()), alpha, beta))
    along = time[:, None, None]
    return torch.where(valid, along * target + (1 - along) * start, 0), time, target - start


def moments(steps: int, device: torch.device) -> Float[Tensor, " steps_and_one"]:
    """The times at which `follow` asks for the velocity, by their number."""
    return torch.linspace(0, 1, steps + 1, device=device).clamp(max=LATEST)


def follow(
    velocity: Callable[[Tensor, int], Tensor],
    start: Float[Tensor, "b k h a"],
    *,
    samples: int,
    steps: int,
    solver: Solver,
    prefix: Tensor | None = None,
    valid: Bool[Tensor, "b h a"] | None = None,
) -> Float[Tensor, "b k h a"]:
    """Follow the flow from noise to actions.

    Args:
        velocity: Of chunks (b, k, h, a) at the time of this number (see `moments`).
        start: The noise.
        samples: As many as k.
        steps: Of equal length; Euler's ask for one velocity each, Heun's for two.
        solver: How a step is made.
        prefix: The first p rows (b, p, a), which stay on their own straight paths and end here.
        valid: Numbers that exist; the others are 0 throughout.

    Raises:
        ValueError: if there is no step to make, or noise or prefix do not fit.
    """
    _check_steps(steps)
    batch, drawn, horizon, size = start.shape
    if drawn != samples:
        raise ValueError(f"noise: expected {samples} samples, got {tuple(start.shape)}.")
    if prefix is not None and not (
        prefix.ndim == 3
        and prefix.shape[1] <= horizon
        and (prefix.shape[0], prefix.shape[2]) == (batch, size)
    ):
        raise ValueError(
            f"prefix: expected ({batch}, up to {horizon} rows, {size}), got {tuple(prefix.shape)}."
        )

    def hold(x: Tensor, step: int) -> Tensor:
        if prefix is not None:
            rows, along = prefix.shape[1], step / steps
            held = along * prefix[:, None] + (1 - along) * start[:, :, :rows]
            x = torch.cat([held, x[:, :, rows:]], 2)
        return x if valid is None else torch.where(valid[:, None], x, 0)

    x = hold(start, 0)
    for step in range(steps):
        slope = velocity(x, step)
        if solver == "heun":
            ahead = hold(x + slope / steps, step + 1)
            slope = (slope + velocity(ahead, step + 1)) / 2
        x = hold(x + slope / steps, step + 1)
    return x


def fourier(time: Float[Tensor, "*b"], width: int) -> Float[Tensor, "*b d"]:
    """Sines and cosines of a time in [0, 1], periods from 4 ms to 4 (π0, appendix B)."""
    periods = torch.logspace(math.log10(4e-3), math.log10(4.0), width // 2, device=time.device)
    angle = 2 * math.pi * time[..., None] / periods
    return torch.cat([angle.sin(), angle.cos()], -1)


def _check_steps(steps: int) -> None:
    if steps < 1:
        raise ValueError(f"steps must be at least 1, got {steps}.")


def _beta(uniform: Float[Tensor, " b"], alpha: float, beta: float) -> Float[Tensor, " b"]:
    """Draws of a Beta distribution from even ones, by its quantiles."""
    table = _quantiles(alpha, beta, uniform.device)
    place = uniform * _COARSE
    below = place.long()
    return torch.lerp(table[below], table[below + 1], place - below)


@lru_cache(maxsize=16)
def _quantiles(alpha: float, beta: float, device: torch.device) -> Float[Tensor, " q"]:
    """Quantiles of a Beta distribution at even probabilities from 0 to 1."""
    # With x = sin² the density is finite at both ends for every alpha and beta from one half on.
    edges = np.linspace(0, math.pi / 2, _FINE + 1)
    middles = (edges[1:] + edges[:-1]) / 2
    mass = np.sin(middles) ** (2 * alpha - 1) * np.cos(middles) ** (2 * beta - 1)
    reached = np.concatenate([[0], mass.cumsum() / mass.sum()])
    found = np.interp(np.linspace(0, 1, _COARSE + 1), reached, np.sin(edges) ** 2)
    return torch.tensor(found, dtype=torch.float32, device=device)
