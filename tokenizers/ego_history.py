"""Turn a vehicle's past poses into one token: its motion from step to step.

Source: Alpamayo-R1 (NVlabs/alpamayo, 2025) tokenises the differences of past positions, in a
range of 4 m a step; here they enter a linear map instead of bins.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn

from octoverse.tokenizer import StreamBatch
from octoverse.tokens import Role, TokenGroup


@dataclass(frozen=True, kw_only=True)
class EgoHistoryTokenizerConfig:
    """Settings of EgoHistoryTokenizer."""

    steps: int
    """Poses in the history."""
    range: float = 4.0
    """Metres a step that become 1."""

    inputs: ClassVar[tuple[str, ...]] = ("history",)
    role: ClassVar[Role] = "observation"
    tokens: ClassVar[int] = 1

    def build(self, width: int) -> "EgoHistoryTokenizer":
        """Make the tokenizer."""
        return EgoHistoryTokenizer(self, width)


class EgoHistoryTokenizer(nn.Module):
    """Differences of consecutive poses, then two layers."""

    def __init__(self, config: EgoHistoryTokenizerConfig, width: int) -> None:
        super().__init__()
        self.range = config.range
        size = 3 * (config.steps - 1)
        self.write = nn.Sequential(nn.Linear(size, width), nn.ReLU(), nn.Linear(width, width))

    def forward(self, streams: Mapping[str, StreamBatch]) -> TokenGroup:
        """Read "history", poses (b, t, steps, 3) in metres and radians, oldest first."""
        history = streams["history"]
        change = history.values.float().diff(dim=2)  # (b, t, steps - 1, 3)
        unit = torch.tensor([self.range, self.range / 10, 0.1], device=change.device)
        values = self.write((change / unit).flatten(2))[:, :, None]
        return TokenGroup(values, history.valid[..., None])
