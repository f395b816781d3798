"""Turn an instruction into one token per word, each a fixed random vector of its own.

Nothing is learned about words but what the linear map and the trunk make of them: a stand-in of the
same shape for a frozen language model whose weights are not at hand.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar
from zlib import crc32

import torch
from jaxtyping import Float
from torch import Tensor, nn

from octoverse import noise
from octoverse.tokenizer import StreamBatch
from octoverse.tokens import Role, TokenGroup

_PURPOSE = 901


@dataclass(frozen=True, kw_only=True)
class WordsTokenizerConfig:
    """Settings of WordsTokenizer."""

    tokens: int = 16
    """Words that are read; further ones are cut."""
    features: int = 768
    """Numbers in a word's vector."""

    inputs: ClassVar[tuple[str, ...]] = ("instruction",)
    role: ClassVar[Role] = "task"

    def build(self, width: int) -> "WordsTokenizer":
        """Make the tokenizer."""
        return WordsTokenizer(self, width)


class WordsTokenizer(nn.Module):
    """Random vectors by word, then a linear map that is trained."""

    def __init__(self, config: WordsTokenizerConfig, width: int) -> None:
        super().__init__()
        self.config = config
        self.project = nn.Linear(config.features, width)

    def forward(self, streams: Mapping[str, StreamBatch]) -> TokenGroup:
        """Read "instruction", b strings; places after the last word are invalid."""
        words, config = streams["instruction"], self.config
        texts = [tuple(text.lower().split()[: config.tokens]) for text in words.values]
        vectors = torch.stack([_vectors(one, config.tokens, config.features) for one in texts])
        real = torch.tensor([[i < len(one) for i in range(config.tokens)] for one in texts])
        values = self.project(vectors.to(self.project.weight))[:, None]
        return TokenGroup(values, (real.to(words.valid.device) & words.valid[:, :1])[:, None])


@lru_cache(maxsize=4096)
def _vectors(words: Sequence[str], tokens: int, features: int) -> Float[Tensor, "n d"]:
    """One row per word, zero after the last."""
    seeds = torch.tensor([crc32(word.encode()) for word in words], dtype=torch.int64)
    with torch.inference_mode(False):
        found = torch.zeros(tokens, features)
        found[: len(words)] = noise.normal(seeds, _PURPOSE, (features,))
        return found
