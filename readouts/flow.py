"""Make an action chunk from noise by a small flow-matching head.

Source: Lipman et al., "Flow matching", 2023; Black et al., "π0", 2024, section IV (10 Euler steps,
times drawn by a Beta distribution that prefers noise). Time runs from noise (0) to data (1); π0
counts the other way.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from octoverse import noise as sample_noise
from octoverse.readout import (
    Context,
    Loss,
    Reads,
    Sample,
    TrunkShape,
    masked_mean,
    only_valid,
)
from octoverse.tokens import TokenGroup

_NOISE, _TIME = 1, 2


@dataclass(frozen=True, kw_only=True)
class FlowConfig:
    """Settings of Flow."""

    codec: str = "scaled"
    """Between the body's units and the numbers that flow."""
    token_count: int = 1
    """Readout tokens whose outputs condition the flow."""
    hidden: int = 256
    """Width of the head."""
    layers: int = 3
    """Residual layers of the head."""
    steps: int = 10
    """Euler steps of one sample."""

    causal: ClassVar[bool] = False
    reads: ClassVar[Reads] = "own"

    def __post_init__(self) -> None:
        if self.steps < 1 or self.hidden < 2 or self.hidden % 2:
            raise ValueError(
                "steps must be at least 1 and hidden an even number, got "
                f"{self.steps} and {self.hidden}."
            )

    def build(self, trunk: TrunkShape, horizon: int, size: int) -> "Flow":
        """Make the readout."""
        return Flow(self, trunk.width, horizon, size)


class Flow(nn.Module):
    """A residual network that gives the velocity of a noised chunk."""

    def __init__(self, config: FlowConfig, width: int, horizon: int, size: int) -> None:
        super().__init__()
        self.config, self.shape, hidden = config, (horizon, size), config.hidden
        self.query = nn.Parameter(torch.randn(1, 1, config.token_count, width) * 0.02)
        self.enter = nn.Linear(horizon * size, hidden)
        self.condition = nn.Linear(config.token_count * width + hidden, hidden)
        self.layers = nn.ModuleList(
            nn.Sequential(
                nn.LayerNorm(hidden),
                nn.Linear(hidden, 4 * hidden),
                nn.SiLU(),
                nn.Linear(4 * hidden, hidden),
            )
            for _ in range(config.layers)
        )
        self.leave = nn.Sequential(nn.LayerNorm(hidden), nn.Linear(hidden, horizon * size))

    def tokens(self, batch: int, target: Tensor | None) -> TokenGroup:
        """Learned queries, the same for every sample."""
        values = self.query.expand(batch, -1, -1, -1)
        return TokenGroup(values, torch.ones_like(values[..., 0], dtype=torch.bool))

    def loss(self, context: Context, target: Tensor, valid: Tensor) -> Loss:
        """Mean squared error of the velocity; noise and time come from each sample's seed."""
        start = sample_noise.normal(context.seeds, _NOISE, self.shape)
        # 1 - Beta(1.5, 1): u ** (1 / 1.5) is a draw from Beta(1.5, 1).
        time = 0.999 * (1 - sample_noise.uniform(context.seeds, _TIME, ()) ** (1 / 1.5))
        along = time[:, None, None]
        noised = torch.where(valid, along * target + (1 - along) * start, start)
        velocity = self.velocity(self._words(context), noised, time)
        return masked_mean((velocity - (target - start)) ** 2, valid)

    def sample(
        self,
        context: Context,
        *,
        noise: Tensor,
        samples: int = 1,
        prefix: Tensor | None = None,
        valid: Tensor | None = None,
    ) -> Sample:
        """Follow the flow from `noise` (b, samples, h, a) to actions."""
        words = self._words(context).repeat_interleave(samples, 0)
        actions = start = noise.flatten(0, 1)
        fixed = None if prefix is None else prefix.repeat_interleave(samples, 0)
        for step in range(self.config.steps):
            time = torch.full((len(actions),), step / self.config.steps, device=actions.device)
            if fixed is not None:
                p, along = fixed.shape[1], time[:, None, None]
                held = along * fixed + (1 - along) * start[:, :p]
                actions = torch.cat([held, actions[:, p:]], 1)
            actions = actions + self.velocity(words, actions, time) / self.config.steps
        if fixed is not None:
            actions = torch.cat([fixed, actions[:, fixed.shape[1] :]], 1)
        return Sample(only_valid(actions.unflatten(0, (-1, samples)), valid))

    def velocity(
        self,
        words: Float[Tensor, "b c"],
        noised: Float[Tensor, "b h a"],
        time: Float[Tensor, " b"],
    ) -> Float[Tensor, "b h a"]:
        """Where a noised chunk is going at this time."""
        moment = fourier(time, self.config.hidden)
        x = self.enter(noised.flatten(1)) + self.condition(torch.cat([words, moment], -1))
        for layer in self.layers:
            x = x + layer(x)
        return self.leave(x).float().unflatten(-1, self.shape)

    def _words(self, context: Context) -> Tensor:
        return context.own[:, -1].flatten(1)


def fourier(time: Float[Tensor, " b"], width: int) -> Float[Tensor, "b d"]:
    """Sines and cosines of a time in [0, 1], periods from 4 ms to 4 (π0, appendix B)."""
    periods = torch.logspace(math.log10(4e-3), math.log10(4.0), width // 2, device=time.device)
    angle = 2 * math.pi * time[:, None] / periods
    return torch.cat([angle.sin(), angle.cos()], -1)
