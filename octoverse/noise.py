"""Noise that belongs to one sample: the same whoever shares its batch, on every device.

Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014 (SplitMix64),
used as a counter-based hash, then Box and Muller, 1958.
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

_GOLDEN, _FIRST, _SECOND = -7046029254386353131, -4658895280553007687, -7723592293110705685


def uniform(
    seeds: Int[Tensor, " b"], purpose: int, shape: tuple[int, ...]
) -> Float[Tensor, "b ..."]:
    """Numbers in (0, 1), (b, *shape), decided by each sample's seed and the purpose alone."""
    count = math.prod(shape)
    place = torch.arange(count, device=seeds.device, dtype=torch.int64)
    # Unlike in the seed and the purpose, or sample 1 for purpose 2 would share with 2 for 1.
    which = torch.tensor(purpose + 1, device=seeds.device) * _GOLDEN
    key = _mix(_mix(seeds.long()) + which)
    bits = _mix(key[:, None] + place * _GOLDEN)
    # 23 bits and a half are exact in float32; with 24, the largest would round to 1.
    return (_shift(bits, 41).float() + 0.5).mul(2.0**-23).reshape(len(seeds), *shape)


def normal(
    seeds: Int[Tensor, " b"], purpose: int, shape: tuple[int, ...]
) -> Float[Tensor, "b ..."]:
    """Standard normal numbers, (b, *shape), decided by each sample's seed and the purpose."""
    first, second = uniform(seeds, purpose, (2, *shape)).unbind(1)
    return (-2 * first.log()).sqrt() * (2 * math.pi * second).cos()


def _mix(x: Tensor) -> Tensor:
    x = (x ^ _shift(x, 30)) * _FIRST
    x = (x ^ _shift(x, 27)) * _SECOND
    return x ^ _shift(x, 31)


def _shift(x: Tensor, bits: int) -> Tensor:
    """Logical shift to the right of int64."""
    return (x >> bits) & ((1 << (64 - bits)) - 1)
