"""Read an action chunk off the trunk in one go, as Octo's continuous heads do.

One linear map of the tokens' mean, or of what a learned probe finds in them by attention; answers
are bent towards a bound.
Source: Octo Model Team, "Octo", 2024, appendix; octo-models/octo, model/components/action_heads.py
(ContinuousActionHead) and transformer.py (MAPHead); Zhai et al., "Scaling vision transformers",
2022 (attention pooling).
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from octoverse.readout import (
    Context,
    Loss,
    Reads,
    Sample,
    TrunkShape,
    blank,
    held,
    masked_mean,
    only_valid,
)
from octoverse.tokens import TokenGroup

POOL_HEADS = 8
"""Heads of the attention that pools."""


@dataclass(frozen=True, kw_only=True)
class OctoRegressionConfig:
    """Settings of OctoRegression."""

    codec: str = "scaled"
    """Between the body's units and the numbers that are regressed."""
    token_count: int = 1
    """Readout tokens whose outputs are read together."""
    pooled: bool = True
    """Whether a probe reads the outputs by attention; else their mean is taken."""
    error: Literal["l1", "mse"] = "l1"
    """What is minimised."""
    bound: float = 5.0
    """Answers stay within this many units of the code."""

    causal: ClassVar[bool] = False
    reads: ClassVar[Reads] = "own"

    def __post_init__(self) -> None:
        if self.token_count < 1 or not self.bound > 0:
            raise ValueError(
                "token_count must be at least 1 and bound above 0, got "
                f"{self.token_count} and {self.bound}."
            )

    def build(self, trunk: TrunkShape, horizon: int, size: int) -> "OctoRegression":
        """Make the readout."""
        return OctoRegression(self, trunk.width, horizon, size)


class OctoRegression(nn.Module):
    """One vector for the chunk, then a linear map to (horizon, a)."""

    def __init__(self, config: OctoRegressionConfig, width: int, horizon: int, size: int) -> None:
        super().__init__()
        self.config, self.width, self.shape = config, width, (horizon, size)
        self.pool = AttentionPool(width) if config.pooled else None
        self.project = nn.Linear(width, horizon * size)

    def tokens(self, batch: int, target: Tensor | None) -> TokenGroup:
        """Nothing but the trunk's learned positions."""
        return blank(self.project.weight, batch, self.config.token_count, self.width)

    def loss(
        self, context: Context, target: Float[Tensor, "b h a"], valid: Bool[Tensor, "b h a"]
    ) -> Loss:
        """Mean error over valid numbers."""
        off = torch.where(valid, self.predict(context.own[:, -1]) - target, 0)
        return masked_mean(off.abs() if self.config.error == "l1" else off.square(), valid)

    def sample(
        self,
        context: Context,
        *,
        noise: Tensor,
        samples: int = 1,
        prefix: Tensor | None = None,
        valid: Tensor | None = None,
    ) -> Sample:
        """The one answer, `samples` times."""
        actions = self.predict(context.own[:, -1])[:, None].expand(-1, samples, -1, -1)
        return Sample(only_valid(held(actions, prefix), valid))

    def predict(self, own: Float[Tensor, "b n d"]) -> Float[Tensor, "b h a"]:
        """The chunk, from the outputs at the readout's tokens."""
        vector = own.mean(1) if self.pool is None else self.pool(own)
        found = self.project(vector).float().unflatten(-1, self.shape)
        return self.config.bound * torch.tanh(found / self.config.bound)


class AttentionPool(nn.Module):
    """A learned probe reads tokens by attention; then a residual feed-forward layer."""

    def __init__(self, width: int) -> None:
        super().__init__()
        if width % POOL_HEADS:
            raise ValueError(f"the trunk's width must be a multiple of {POOL_HEADS}, got {width}.")
        self.probe = nn.Parameter(torch.randn(1, width) * width**-0.5)
        self.query, self.key, self.value, self.leave = (nn.Linear(width, width) for _ in range(4))
        self.norm = nn.LayerNorm(width, eps=1e-6)  # flax's default
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU("tanh"), nn.Linear(4 * width, width)
        )

    def forward(self, x: Float[Tensor, "b n d"]) -> Float[Tensor, "b d"]:
        """What the probe finds."""
        query, key, value = (
            part.unflatten(-1, (POOL_HEADS, -1)).transpose(1, 2)
            for part in (self.query(self.probe)[None], self.key(x), self.value(x))
        )
        read = F.scaled_dot_product_attention(query.expand(len(x), -1, -1, -1), key, value)
        found = self.leave(read.transpose(1, 2).flatten(2))[:, 0]
        return found + self.mlp(self.norm(found))
