"""Turn a route, the points of a line to follow, into tokens.

Source: Gao et al., "VectorNet", 2020, section 3.1: a line enters as the vectors between its points,
each told by where it is and where it leads.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn

from octoverse.tokenizer import StreamBatch
from octoverse.tokens import Role, TokenGroup


@dataclass(frozen=True, kw_only=True)
class RouteTokenizerConfig:
    """Settings of RouteTokenizer."""

    points: int
    """Points in the route."""
    tokens: int = 1
    """Tokens that the points are written into, the nearest first."""
    range: float = 50.0
    """Metres that become 1; a tenth of it for the way from point to point."""

    inputs: ClassVar[tuple[str, ...]] = ("route",)
    role: ClassVar[Role] = "observation"

    def __post_init__(self) -> None:
        if min(self.points, self.tokens) < 1 or not self.range > 0:
            raise ValueError(
                "points and tokens must be at least 1 and range above 0, got "
                f"{self.points}, {self.tokens} and {self.range}."
            )
        if self.points % self.tokens:
            raise ValueError(
                f"points ({self.points}) must be a multiple of tokens ({self.tokens})."
            )

    def build(self, width: int) -> "RouteTokenizer":
        """Make the tokenizer."""
        return RouteTokenizer(self, width)


class RouteTokenizer(nn.Module):
    """Two layers over the points of each token and the vectors that lead to them."""

    def __init__(self, config: RouteTokenizerConfig, width: int) -> None:
        super().__init__()
        self.config = config
        size = 4 * config.points // config.tokens
        self.write = nn.Sequential(nn.Linear(size, width), nn.ReLU(), nn.Linear(width, width))

    def forward(self, streams: Mapping[str, StreamBatch]) -> TokenGroup:
        """Read "route", points (b, t, points, 2) in metres in the vehicle's frame."""
        route = streams["route"]
        points = route.values.float() / self.config.range
        way = points.diff(dim=2, prepend=torch.zeros_like(points[:, :, :1]))  # from the vehicle on
        told = torch.cat([points, 10 * way], -1)  # (b, t, points, 4)
        values = self.write(told.flatten(2).unflatten(2, (self.config.tokens, -1)))
        return TokenGroup(values, route.valid[..., None].expand(values.shape[:3]))
