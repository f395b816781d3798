"""Places as waves of different lengths: sines at even numbers, cosines at odd ones.

Source: Vaswani et al., "Attention is all you need", 2017, section 3.5.
"""

import torch
from jaxtyping import Float
from torch import Tensor


def sinusoids(count: int, width: int) -> Float[Tensor, "n d"]:
    """For places 0, 1, ...: wavelengths from 2 pi to 10,000 x 2 pi."""
    numbers = torch.arange(count)[:, None]
    rates = 10_000.0 ** (-torch.arange(0, width, 2) / width)
    waves = torch.stack([(numbers * rates).sin(), (numbers * rates).cos()], -1)
    return waves.flatten(1)[:, :width]
