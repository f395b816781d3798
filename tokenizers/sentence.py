"""Turn an instruction into one token by a frozen sentence encoder, kept per instruction.

Source: Reimers and Gurevych, "Sentence-BERT", 2019; weights of all-MiniLM-L6-v2.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from octoverse.text import InstructionEncoder
from octoverse.tokenizer import StreamBatch
from octoverse.tokens import Role, TokenGroup


@dataclass(frozen=True, kw_only=True)
class SentenceTokenizerConfig:
    """Settings of SentenceTokenizer: none; the encoder's weights decide."""

    inputs: ClassVar[tuple[str, ...]] = ("instruction",)
    role: ClassVar[Role] = "task"
    tokens: ClassVar[int] = 1

    def build(self, width: int) -> "SentenceTokenizer":
        """Make the tokenizer."""
        return SentenceTokenizer(width)


class SentenceTokenizer(nn.Module):
    """The sentence's embedding, then a linear map that is trained."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.encode = InstructionEncoder("sentence", width)

    def forward(self, streams: Mapping[str, StreamBatch]) -> TokenGroup:
        """Read "instruction", b strings; an empty one gives invalid tokens."""
        words = streams["instruction"]
        return TokenGroup(self.encode(words.values)[:, None, None], words.valid[:, :1, None])
