"""Transformer layers of the CVAE readout: one that reads itself, one that also reads a memory.

Source: Zhao et al., "Learning Fine-Grained Bimanual Manipulation with Low-Cost Hardware", 2023,
appendix C. Norms stand before what they norm, as in the trunk; ACT's stand behind.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from octoverse.trunk.attention import attend

Read = tuple[Tensor, Tensor]
"""Keys and values of a memory, each (b, heads, n, c)."""


class Attention(nn.Module):
    """Queries of one width read a memory of another."""

    def __init__(self, width: int, memory: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.leave = nn.Linear(width, width), nn.Linear(width, width)
        self.key_value = nn.Linear(memory, 2 * width)

    def read(self, memory: Float[Tensor, "b n m"]) -> Read:
        """Keys and values of a memory."""
        both = self.key_value(memory).unflatten(-1, (2, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return both[0], both[1]

    def forward(
        self, x: Float[Tensor, "one_or_b q d"], read: Read, seen: Bool[Tensor, "b 1 n"] | None
    ) -> Float[Tensor, "b q d"]:
        """What queries find where a memory is `seen`; queries that all share may be given once."""
        keys, values = read
        b, n = len(keys), keys.shape[2]
        query = self.query(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        if seen is None:
            seen = torch.ones(b, 1, n, dtype=torch.bool, device=x.device)
        mask = seen[:, None].expand(b, 1, x.shape[1], n)
        found = attend(query.expand(b, -1, -1, -1), keys, values, mask)
        return self.leave(found.transpose(1, 2).flatten(2))


class EncoderLayer(nn.Module):
    """Self-attention and a feed-forward layer."""

    def __init__(self, width: int, heads: int, feed_forward: int) -> None:
        super().__init__()
        self.attention_norm, self.attention = nn.LayerNorm(width), Attention(width, width, heads)
        self.mlp = feed_forward_of(width, feed_forward)

    def forward(
        self, x: Float[Tensor, "b n d"], seen: Bool[Tensor, "b 1 n"] | None, asked: int | None
    ) -> Float[Tensor, "b q d"]:
        """One layer; only the first `asked` tokens are computed, where not all are asked for."""
        normed = self.attention_norm(x)
        read = self.attention.read(normed)
        x = x[:, :asked] + self.attention(normed[:, :asked], read, seen)
        return x + self.mlp(x)


class DecoderLayer(nn.Module):
    """Self-attention, attention over a memory, and a feed-forward layer."""

    def __init__(self, width: int, memory: int, heads: int, feed_forward: int) -> None:
        super().__init__()
        self.self_norm, self.self_attention = nn.LayerNorm(width), Attention(width, width, heads)
        self.cross_norm, self.cross = nn.LayerNorm(width), Attention(width, memory, heads)
        self.mlp = feed_forward_of(width, feed_forward)

    def forward(
        self, x: Float[Tensor, "one_or_b h d"], read: Read, seen: Bool[Tensor, "b 1 n"]
    ) -> Float[Tensor, "b h d"]:
        """One layer; what all samples share in `x` is computed once until the memory is read."""
        normed = self.self_norm(x)
        x = x + self.self_attention(normed, self.self_attention.read(normed), None)
        x = x + self.cross(self.cross_norm(x), read, seen)
        return x + self.mlp(x)


def feed_forward_of(width: int, inner: int) -> nn.Sequential:
    """Two layers behind a norm; ReLU costs a CPU a fraction of what GELU does."""
    return nn.Sequential(
        nn.LayerNorm(width), nn.Linear(width, inner), nn.ReLU(), nn.Linear(inner, width)
    )
