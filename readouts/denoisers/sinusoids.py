"""A time as sines and cosines, from fast to slow.

Source: Vaswani et al., "Attention is all you need", 2017, section 3.5; as Diffusion Policy writes
it (real-stanford/diffusion_policy, model/diffusion/positional_embedding.py): all sines first.
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor


def sinusoids(time: Int[Tensor, " b"], width: int) -> Float[Tensor, "b d"]:
    """`width` numbers, even and at least 4, for each time, with periods from 2 pi to 20,000 pi."""
    half = width // 2
    slower = torch.arange(half, device=time.device) * (-math.log(10_000) / (half - 1))
    angle = time[:, None] * slower.exp()
    return torch.cat([angle.sin(), angle.cos()], -1)
