"""How much noise a chunk holds at each diffusion time.

Source: Nichol and Dhariwal, "Improved denoising diffusion probabilistic models", 2021, equation 17
(squared cosine, offset 0.008, betas of at most 0.999). Octo's `cosine_beta_schedule` and
diffusers' `squaredcos_cap_v2` are this one: they differ in how they round, by 1e-7 of a beta.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

_OFFSET = 0.008
_LARGEST = 0.9990000128746033
"""0.999 in float32, in which both originals keep it: sampling divides by the root of what is left
to 1, where that makes a difference of a 100,000th."""


@dataclass(frozen=True)
class NoiseSchedule:
    """Times 0 (hardly any noise) to n - 1 (nothing but noise), in float64.

    A chunk x noised by e to time t is sqrt(alpha_hats[t]) x + sqrt(1 - alpha_hats[t]) e.
    """

    betas: Float[Tensor, " n"]
    """Share of the variance that each time replaces by noise."""
    alphas: Float[Tensor, " n"]
    """1 - betas."""
    alpha_hats: Float[Tensor, " n"]
    """Share of the variance that is still the chunk's."""


def squared_cosine(steps: int) -> NoiseSchedule:
    """The squared-cosine schedule of so many times."""
    if steps < 1:
        raise ValueError(f"a noise schedule needs at least 1 step, got {steps}.")
    along = torch.arange(steps + 1, dtype=torch.float64) / steps
    kept = ((along + _OFFSET) / (1 + _OFFSET) * math.pi / 2).cos() ** 2
    betas = (1 - kept[1:] / kept[:-1]).clamp(max=_LARGEST)
    return NoiseSchedule(betas, 1 - betas, (1 - betas).cumprod(0))
