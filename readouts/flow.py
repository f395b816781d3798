"""Make an action chunk from noise by a small flow-matching head.

Source: Lipman et al., "Flow matching", 2023; Black et al., "π0", 2024, section IV (10 Euler steps,
times drawn by a Beta distribution that prefers noise).
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from octoverse.readout import Context, Loss, Reads, Sample, TrunkShape, masked_mean, queries
from octoverse.readouts.flow_path import (
    Solver,
    check_settings,
    follow,
    fourier,
    moments,
    noised,
)
from octoverse.tokens import TokenGroup


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
    """Steps of one sample; a built readout's `inference_steps` may be set to another number."""
    solver: Solver = "euler"
    """heun asks for the velocity twice in a step; a built readout's own `solver` may be set."""
    alpha: float = 1.5
    """Of the Beta distribution of training times; above beta, times near the noise come often."""
    beta: float = 1.0

    causal: ClassVar[bool] = False
    reads: ClassVar[Reads] = "own"

    def __post_init__(self) -> None:
        check_settings(self.steps, self.alpha, self.beta)
        if self.hidden < 2 or self.hidden % 2:
            raise ValueError(f"hidden must be an even number from 2 on, got {self.hidden}.")

    def build(self, trunk: TrunkShape, horizon: int, size: int) -> "Flow":
        """Make the readout."""
        return Flow(self, trunk.width, horizon, size)


class Flow(nn.Module):
    """A residual network that gives the velocity of a noised chunk."""

    def __init__(self, config: FlowConfig, width: int, horizon: int, size: int) -> None:
        super().__init__()
        self.config, self.shape, hidden = config, (horizon, size), config.hidden
        self.inference_steps, self.solver = config.steps, config.solver
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
        return queries(self.query, batch)

    def loss(self, context: Context, target: Tensor, valid: Tensor) -> Loss:
        """Mean squared error of the velocity; noise and time come from each sample's seed."""
        beta = {"alpha": self.config.alpha, "beta": self.config.beta}
        chunk, time, wanted = noised(target, valid, context.seeds, **beta)
        velocity = self.velocity(chunk, self.conditions(context, time[:, None])[:, 0])
        return masked_mean((velocity - wanted) ** 2, valid)

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
        times = moments(self.inference_steps, noise.device)
        conditions = self.conditions(context, times.expand(len(noise), -1))[:, :, None]
        actions = follow(
            lambda chunk, step: self.velocity(chunk, conditions[:, step]),
            noise,
            samples=samples,
            steps=self.inference_steps,
            solver=self.solver,
            prefix=prefix,
            valid=valid,
        )
        return Sample(actions)

    def conditions(
        self, context: Context, times: Float[Tensor, "b m"]
    ) -> Float[Tensor, "b m hidden"]:
        """What the trunk said together with each of m times; all of a sample's times at once."""
        words = context.own[:, -1].flatten(1)[:, None].expand(-1, times.shape[1], -1)
        moment = fourier(times, self.config.hidden).to(words.dtype)
        return self.condition(torch.cat([words, moment], -1))

    def velocity(
        self, chunk: Float[Tensor, "*#b h a"], condition: Float[Tensor, "*#b hidden"]
    ) -> Float[Tensor, "*#b h a"]:
        """Where a noised chunk is going."""
        x = self.enter(chunk.flatten(-2).to(condition.dtype)) + condition
        for layer in self.layers:
            x = x + layer(x)
        return self.leave(x).float().unflatten(-1, self.shape)
