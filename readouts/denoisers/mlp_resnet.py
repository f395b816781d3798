"""Octo's score network: residual layers over the flat chunk, the time and the mean of the words.

Source: Octo Model Team, "Octo", 2024, section III-B; octo-models/octo,
octo/model/components/diffusion.py (ScoreActor). Initialised as there.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from octoverse.packed import Packed, plain, working_dtype
from octoverse.readouts.denoisers.denoiser import Condition

_Product = Callable[[nn.Linear, Tensor], Tensor]


@dataclass(frozen=True, kw_only=True)
class MlpResNetConfig:
    """Settings of MlpResNet; Octo's."""

    hidden: int = 256
    """Width of the network."""
    blocks: int = 3
    """Residual blocks."""
    time_width: int = 32
    """Learned Fourier features of the time, half cosines and half sines."""

    def __post_init__(self) -> None:
        if self.hidden < 1 or self.blocks < 0 or self.time_width < 2 or self.time_width % 2:
            raise ValueError(
                "hidden must be at least 1, blocks at least 0 and time_width even, got "
                f"{self.hidden}, {self.blocks} and {self.time_width}."
            )

    def build(self, width: int, horizon: int, size: int) -> "MlpResNet":
        """Make the network for words of this width and chunks of (horizon, size)."""
        return MlpResNet(self, width, horizon, size)


class MlpResNet(nn.Module):
    """Reads the mean of the valid words."""

    def __init__(self, config: MlpResNetConfig, width: int, horizon: int, size: int) -> None:
        super().__init__()
        moment, flat = config.time_width, horizon * size
        self.shape = (horizon, size)
        self.frequency = nn.Parameter(torch.randn(moment // 2) * 0.2)
        self.time = nn.Sequential(_dense(moment, 2 * moment), nn.SiLU(), _dense(2 * moment, moment))
        self.enter = _dense(moment + width + flat, config.hidden)
        self.blocks = nn.ModuleList(_Block(config.hidden) for _ in range(config.blocks))
        self.leave = _dense(config.hidden, flat)
        self._packed = Packed()

    def forward(
        self, noised: Float[Tensor, "b h a"], time: Int[Tensor, " b"], condition: Condition
    ) -> Float[Tensor, "b h a"]:
        """Predict for chunks that each have a time of their own."""
        words = _mean(condition)
        moments, flat = self._moments(time).to(words.dtype), noised.flatten(1).to(words.dtype)
        return self._finish(self.enter(torch.cat([moments, words, flat], -1)), plain)

    def along(self, times: Int[Tensor, " s"], condition: Condition) -> Callable[..., Tensor]:
        """The same for a loop: times and words pass the first layer once, before it."""
        words = _mean(condition)
        sizes = [2 * len(self.frequency), words.shape[-1], math.prod(self.shape)]
        of_time, of_words, of_chunk = self.enter.weight.split(sizes, 1)
        moments = F.linear(self._moments(times).to(words.dtype), of_time)[:, None]  # (s, 1, hidden)
        known = (moments + F.linear(words, of_words, self.enter.bias)).float()
        product = self._products(len(words))
        of_chunk, device = of_chunk.float().T, words.device.type

        def step(noised: Tensor, number: int) -> Tensor:
            with torch.autocast(device, enabled=False):
                x = torch.addmm(known[number], noised.flatten(1), of_chunk)
                return self._finish(x, product)

        return step

    def _products(self, rows: int) -> _Product:
        """How the layers are applied in a loop."""
        if rows == 1 and working_dtype(self.leave.weight) == torch.float32:
            return plain  # a product with one row reads weights as they lie
        layers = [self.leave, *(one for block in self._blocks() for one in block.layers())]
        maps = {layer: self._packed.product(layer) for layer in layers}
        return lambda layer, x: maps[layer](x)

    def _moments(self, time: Tensor) -> Tensor:
        angle = 2 * math.pi * time[:, None] * self.frequency.float()
        features = torch.cat([angle.cos(), angle.sin()], -1)
        return self.time(features.to(self.frequency.dtype))

    def _finish(self, x: Tensor, product: _Product) -> Tensor:
        for block in self._blocks():
            x = block(x, product)
        return product(self.leave, F.silu(x)).float().unflatten(-1, self.shape)

    def _blocks(self) -> "list[_Block]":
        return cast(list[_Block], self.blocks)


class _Block(nn.Module):
    """A residual layer four times as wide inside."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, eps=1e-6)  # flax's default
        self.widen, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        for layer in self.layers():
            nn.init.trunc_normal_(layer.weight, std=layer.in_features**-0.5)
            nn.init.zeros_(layer.bias)

    def layers(self) -> tuple[nn.Linear, nn.Linear]:
        return self.widen, self.narrow

    def forward(self, x: Tensor, product: _Product) -> Tensor:
        norm = self.norm
        inner = F.layer_norm(
            x.float(), norm.normalized_shape, norm.weight.float(), norm.bias.float(), norm.eps
        )
        return x + product(self.narrow, F.silu(product(self.widen, inner)))


def _dense(inputs: int, outputs: int) -> nn.Linear:
    layer = nn.Linear(inputs, outputs)
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def _mean(condition: Condition) -> Float[Tensor, "b d"]:
    """The mean of the valid words; zero where none is."""
    real = condition.valid[..., None]
    total = torch.where(real, condition.words, 0).sum(1)
    return total / real.sum(1).clamp(min=1).to(total.dtype)
