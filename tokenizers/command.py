"""Turn a driving command (left, straight, right, ...) into one token per step.

Source: Hu et al., "UniAD", 2023, section 3.3 (a learned embedding per command).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from octoverse.tokenizer import StreamBatch
from octoverse.tokens import Role, TokenGroup


@dataclass(frozen=True, kw_only=True)
class CommandTokenizerConfig:
    """Settings of CommandTokenizer."""

    size: int
    """How many commands the body knows."""

    inputs: ClassVar[tuple[str, ...]] = ("command",)
    role: ClassVar[Role] = "observation"
    tokens: ClassVar[int] = 1

    def build(self, width: int) -> "CommandTokenizer":
        """Make the tokenizer."""
        return CommandTokenizer(self, width)


class CommandTokenizer(nn.Module):
    """One learned vector per command."""

    def __init__(self, config: CommandTokenizerConfig, width: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(config.size, width)

    def forward(self, streams: Mapping[str, StreamBatch]) -> TokenGroup:
        """Read "command", indices (b, t)."""
        command = streams["command"]
        return TokenGroup(self.embed(command.values)[:, :, None], command.valid[..., None])
