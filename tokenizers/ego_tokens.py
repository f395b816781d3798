"""Turn a vehicle's past poses into tokens: every change of a coordinate as one of 1000 bins.

Source: Alpamayo-R1 (NVlabs/alpamayo, 2025, delta_tokenizer.py): 16 poses give 48 tokens, the
changes of x, y and z from pose to pose within 4, 4 and 10 m to both sides, all from one vocabulary.
The first pose's change is counted from the vehicle's own place now, so it stands for the distance
that the history spans, cut off at 4 m. Our histories are planar: z does not change, and its tokens
are those of a flat road. Headings are told by a fourth token of each pose where `heading` is set,
as in the published option.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from octoverse.tokenizer import StreamBatch
from octoverse.tokens import Role, TokenGroup

_RANGE = (4.0, 4.0, 10.0, math.pi)
"""Change of x, y, z [m] and of the heading [rad] that the last bin stands for."""


@dataclass(frozen=True, kw_only=True)
class EgoTokensTokenizerConfig:
    """Settings of EgoTokensTokenizer."""

    steps: int
    """Poses in the history."""
    bins: int = 1000
    """Size of the vocabulary."""
    heading: bool = False
    """Whether changes of the heading are told, too."""

    inputs: ClassVar[tuple[str, ...]] = ("history",)
    role: ClassVar[Role] = "observation"

    def __post_init__(self) -> None:
        if self.steps < 1 or self.bins < 2:
            raise ValueError(
                f"steps must be at least 1 and bins at least 2, got {self.steps} and {self.bins}."
            )

    @property
    def tokens(self) -> int:
        """Numbers told of all poses."""
        return self.steps * (4 if self.heading else 3)

    def build(self, width: int) -> "EgoTokensTokenizer":
        """Make the tokenizer."""
        return EgoTokensTokenizer(self, width)


class EgoTokensTokenizer(nn.Module):
    """One learned vector per bin; which number a token tells, its place in the sequence says."""

    def __init__(self, config: EgoTokensTokenizerConfig, width: int) -> None:
        super().__init__()
        self.config = config
        self.embed = nn.Embedding(config.bins, width)

    def forward(self, streams: Mapping[str, StreamBatch]) -> TokenGroup:
        """Read "history", poses (b, t, steps, 3) in metres and radians, oldest first."""
        history = streams["history"]
        values = self.embed(self.bins(history.values.float()).flatten(2))
        return TokenGroup(values, history.valid[..., None].expand(values.shape[:3]))

    def bins(self, poses: Float[Tensor, "b t n 3"]) -> Int[Tensor, "b t n m"]:
        """Bins of the changes of x, y, z and, where it is told, the heading."""
        change = poses.diff(dim=2, prepend=torch.zeros_like(poses[:, :, :1]))
        flat = torch.zeros_like(change[..., :1])
        turn = torch.atan2(change[..., 2:].sin(), change[..., 2:].cos())
        told = torch.cat([change[..., :2], flat, *([turn] if self.config.heading else [])], -1)
        limit = torch.tensor(_RANGE[: told.shape[-1]], device=poses.device)
        share, last = (told + limit) / (2 * limit), self.config.bins - 1
        return (share * last).round().long().clamp(0, last)
