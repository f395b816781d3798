"""Turn measured numbers into one token each: which of 256 bins a number lies in.

Source: Octo Model Team, "Octo", 2024 (octo-models/octo, tokenizers.py, LowdimObsTokenizer): bins
of one width, or bins that numbers of a normal distribution fall into equally often, and one
vocabulary for all numbers; uniform bins after Brohan et al., "RT-1", 2022. What lies outside falls
into the outermost bin (in Octo's code, what lies outside of the normal bins falls into the first).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from octoverse.tokenizer import StreamBatch
from octoverse.tokens import Role, TokenGroup


@dataclass(frozen=True, kw_only=True)
class StateBinsTokenizerConfig:
    """Settings of StateBinsTokenizer."""

    size: int
    """Numbers n in the state."""
    bins: int = 256
    """Size of the vocabulary."""
    spread: Literal["normal", "uniform"] = "normal"
    """Whether bins are narrower where scaled numbers are frequent."""
    limit: float = 2.0
    """Standard deviations that the outermost uniform bins end at."""

    inputs: ClassVar[tuple[str, ...]] = ("state",)
    role: ClassVar[Role] = "observation"

    def __post_init__(self) -> None:
        if self.bins < 2 or not self.limit > 0:
            raise ValueError(
                f"bins must be at least 2 and limit above 0, got {self.bins} and {self.limit}."
            )

    @property
    def tokens(self) -> int:
        """One for each number."""
        return self.size

    def build(self, width: int) -> "StateBinsTokenizer":
        """Make the tokenizer."""
        return StateBinsTokenizer(self, width)


class StateBinsTokenizer(nn.Module):
    """One learned vector per bin; which number a token tells, its place in the sequence says."""

    edges: Tensor

    def __init__(self, config: StateBinsTokenizerConfig, width: int) -> None:
        super().__init__()
        self.register_buffer("edges", _edges(config), persistent=False)
        self.embed = nn.Embedding(config.bins, width)

    def forward(self, streams: Mapping[str, StreamBatch]) -> TokenGroup:
        """Read "state", scaled numbers (b, t, n)."""
        state = streams["state"]
        values = self.embed(self.bins(state.values.float()))
        return TokenGroup(values, state.valid[..., None].expand(values.shape[:3]))

    def bins(self, state: Float[Tensor, "b t n"]) -> Int[Tensor, "b t n"]:
        """How many edges between bins are at or below each number."""
        return torch.bucketize(state.contiguous(), self.edges, right=True)


def _edges(config: StateBinsTokenizerConfig) -> Float[Tensor, " e"]:
    """Where one bin ends and the next begins: one fewer than bins."""
    share = torch.arange(1, config.bins, dtype=torch.float64) / config.bins
    if config.spread == "uniform":
        return ((2 * share - 1) * config.limit).float()
    return torch.special.ndtri(share).float()
