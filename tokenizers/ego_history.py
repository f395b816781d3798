"""Turn a vehicle's past poses into one token: its motion from step to step.

Source: Alpamayo-R1 (NVlabs/alpamayo, 2025) tokenises the differences of past positions, in a
range of 4 m a step; here they enter a linear map instead of bins.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from octoverse.tokenizer import StreamBatch
from octoverse.tokens import Role, TokenGroup

_SMALL = torch.tensor([0.05, 0.02, 0.002])
"""Metres ahead, metres to the side and radians a step that are still small."""


@dataclass(frozen=True, kw_only=True)
class EgoHistoryTokenizerConfig:
    """Settings of EgoHistoryTokenizer."""

    steps: int
    """Poses in the history."""
    range: float = 4.0
    """Metres a step that become 1."""
    fine: bool = False
    """Whether small changes of speed and heading are told apart as well as large ones."""

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
        self.range, self.fine = config.range, config.fine
        size = 3 * (config.steps - 1)
        self.write = nn.Sequential(nn.Linear(size, width), nn.ReLU(), nn.Linear(width, width))

    def forward(self, streams: Mapping[str, StreamBatch]) -> TokenGroup:
        """Read "history", poses (b, t, steps, 3) in metres and radians, oldest first."""
        history = streams["history"]
        change = history.values.float().diff(dim=2)  # (b, t, steps - 1, 3)
        unit = torch.tensor([self.range, self.range / 10, 0.1], device=change.device)
        scaled = _fine(change, unit) if self.fine else change / unit
        values = self.write(scaled.flatten(2))[:, :, None]
        return TokenGroup(values, history.valid[..., None])


def _fine(change: Float[Tensor, "b t n 3"], unit: Float[Tensor, "3"]) -> Float[Tensor, "b t n 3"]:
    """Motion from step to step, nearly linear to some centimetres and logarithmic beyond.

    The last step's way ahead is told as it is, that of the others by how it differs.
    """
    last = change[:, :, -1:]
    ahead = torch.cat([change[..., :-1, :1] - last[..., :1], last[..., :1]], 2)
    small = torch.asinh(torch.cat([ahead, change[..., 1:]], -1) / _SMALL.to(change.device))
    speed = torch.cat([small[..., :-1, :1], last[..., :1] / unit[:1]], 2)
    return torch.cat([speed, small[..., 1:]], -1)
