"""Turn an instruction into tokens, from its bytes: nothing to download, any language."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn

from octoverse.text import InstructionEncoder
from octoverse.tokenizer import StreamBatch
from octoverse.tokens import Role, TokenGroup


@dataclass(frozen=True, kw_only=True)
class LanguageTokenizerConfig:
    """Settings of LanguageTokenizer."""

    tokens: int = 1
    """Tokens that the instruction becomes."""
    max_bytes: int = 64
    """Longer instructions are cut."""

    inputs: ClassVar[tuple[str, ...]] = ("instruction",)
    role: ClassVar[Role] = "task"

    def build(self, width: int) -> "LanguageTokenizer":
        """Make the tokenizer."""
        return LanguageTokenizer(self, width)


class LanguageTokenizer(nn.Module):
    """A convolution over the bytes, the strongest answer of each channel, a linear map."""

    def __init__(self, config: LanguageTokenizerConfig, width: int) -> None:
        super().__init__()
        self.encode = InstructionEncoder("bytes", width, config.max_bytes)
        self.write = nn.Linear(width, config.tokens * width)
        self.count = config.tokens

    def forward(self, streams: Mapping[str, StreamBatch]) -> TokenGroup:
        """Read "instruction", b strings; an empty one gives invalid tokens."""
        words = streams["instruction"]
        values = self.write(torch.relu(self.encode(words.values)))
        values = values.unflatten(-1, (1, self.count, -1))
        return TokenGroup(values, words.valid[:, :1, None].expand(values.shape[:3]))
