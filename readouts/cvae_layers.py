"""Transformer layers of the CVAE readout: one that reads itself, one that also reads a memory.

Source: Zhao et al., "Learning Fine-Grained Bimanual Manipulation with Low-Cost Hardware", 2023,
appendix C. Norms stand before what they norm, as in the trunk; ACT's stand behind.
"""

from jaxtyping import Bool, Float
from torch import Tensor, nn

from octoverse.readouts.cross_attention import Attention, Read


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
