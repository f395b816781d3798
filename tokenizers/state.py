"""Turn measured numbers into one token per step.

Source: Octo Model Team, "Octo", 2024, appendix (a linear map of the scaled state).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from octoverse.tokenizer import StreamBatch
from octoverse.tokens import Role, TokenGroup


@dataclass(frozen=True, kw_only=True)
class StateTokenizerConfig:
    """Settings of StateTokenizer."""

    size: int
    """Numbers n in the state."""

    inputs: ClassVar[tuple[str, ...]] = ("state",)
    role: ClassVar[Role] = "observation"
    tokens: ClassVar[int] = 1

    def build(self, width: int) -> "StateTokenizer":
        """Make the tokenizer."""
        return StateTokenizer(self, width)


class StateTokenizer(nn.Module):
    """Two layers, since a single linear map cannot say that one number gates another."""

    def __init__(self, config: StateTokenizerConfig, width: int) -> None:
        super().__init__()
        self.write = nn.Sequential(
            nn.Linear(config.size, width), nn.ReLU(), nn.Linear(width, width)
        )

    def forward(self, streams: Mapping[str, StreamBatch]) -> TokenGroup:
        """Read "state", scaled numbers (b, t, n); beyond 5 standard deviations they are clipped."""
        state = streams["state"]
        values = self.write(state.values.clamp(-5, 5))[:, :, None]
        return TokenGroup(values, state.valid[..., None])
