"""Octo's score network: residual layers over the flat chunk, the time and the mean of the words.

Source: Octo Model Team, "Octo", 2024, section III-B; octo-models/octo,
octo/model/components/diffusion.py (ScoreActor). Initialised as there.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from octoverse.readouts.denoisers.denoiser import Condition


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

    def forward(
        self, noised: Float[Tensor, "b h a"], time: Int[Tensor, " b"], condition: Condition
    ) -> Float[Tensor, "b h a"]:
        """Predict for chunks that each have a time of their own."""
        words = _mean(condition)
        moments, flat = self._moments(time).to(words.dtype), noised.flatten(1).to(words.dtype)
        return self._finish(self.enter(torch.cat([moments, words, flat], -1)))

    def along(self, times: Int[Tensor, " s"], condition: Condition) -> Callable[..., Tensor]:
        """The same for a loop: times and words pass the first layer once, before it."""
        words = _mean(condition)
        sizes = [2 * len(self.frequency), words.shape[-1], math.prod(self.shape)]
        of_time, of_words, of_chunk = self.enter.weight.split(sizes, 1)
        moments = F.linear(self._moments(times).to(words.dtype), of_time)  # (s, hidden)
        known = moments[:, None] + F.linear(words, of_words, self.enter.bias)  # (s, b, hidden)

        def step(noised: Tensor, number: int) -> Tensor:
            return self._finish(known[number] + F.linear(noised.flatten(1).to(known), of_chunk))

        return step

    def _moments(self, time: Tensor) -> Tensor:
        angle = 2 * math.pi * time[:, None] * self.frequency.float()
        features = torch.cat([angle.cos(), angle.sin()], -1)
        return self.time(features.to(self.frequency.dtype))

    def _finish(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x)
        return self.leave(F.silu(x)).float().unflatten(-1, self.shape)


class _Block(nn.Module):
    """A residual layer four times as wide inside."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, eps=1e-6)  # flax's default
        self.widen, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        for layer in (self.widen, self.narrow):
            nn.init.trunc_normal_(layer.weight, std=layer.in_features**-0.5)
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.narrow(F.silu(self.widen(self.norm(x))))


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
