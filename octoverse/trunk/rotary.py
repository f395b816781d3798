"""Rotary positions in time: a score depends on how many steps lie between query and key.

Source: Su et al., "RoFormer", 2021, equation 34, with the step of a window for the position.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

_BASE = 10_000.0


def turns(steps: Int[Tensor, " n"], channels: int) -> tuple[Tensor, Tensor]:
    """Cosine and sine of every step's angles, each (n, channels / 2), float32."""
    half = torch.arange(channels // 2, device=steps.device)
    angle = steps[:, None] * _BASE ** (-2 * half / channels)
    return angle.cos(), angle.sin()


def rotate(
    x: Float[Tensor, "b h n c"], by: tuple[Float[Tensor, "n half"], Float[Tensor, "n half"]]
) -> Float[Tensor, "b h n c"]:
    """Turn each pair of channels (i, i + c / 2) by its angle."""
    cos, sin = by
    first, second = x.chunk(2, -1)
    turned = torch.cat([first * cos - second * sin, second * cos + first * sin], -1)
    return turned.to(x.dtype)
