"""Our own transformer trunk: pre-norm blocks over one body's layout, same weights for all bodies.

Source: Octo Model Team, "Octo", 2024, section III-A and appendix; learned positions per group.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from octoverse.tokens import Layout, TokenGroup
from octoverse.trunk.attention import attend

Memory = tuple[tuple[Tensor, Tensor], ...]
"""Keys and values of every layer, each (b, heads, length, c)."""


@dataclass(frozen=True, kw_only=True)
class NativeTrunkConfig:
    """Settings of NativeTrunk."""

    width: int = 256
    """Model width d."""
    layers: int = 4
    heads: int = 4
    mlp_ratio: int = 4
    """Width of the feed-forward layer, in multiples of the model width."""
    activation: Literal["relu", "gelu"] = "gelu"
    """relu trains a fifth faster on a CPU; gelu is what published trunks use."""

    def __post_init__(self) -> None:
        if min(self.width, self.layers, self.heads, self.mlp_ratio) < 1:
            raise ValueError(
                "width, layers, heads and mlp_ratio must be at least 1, got "
                f"{self.width}, {self.layers}, {self.heads} and {self.mlp_ratio}."
            )
        if self.width % self.heads:
            raise ValueError(f"width ({self.width}) must be divisible by heads ({self.heads}).")


@dataclass(frozen=True)
class TrunkOutput:
    """What the trunk made of a sequence."""

    values: Float[Tensor, "b length d"]
    valid: Bool[Tensor, "b length"]
    memory: Memory


class NativeTrunk(nn.Module):
    """Reads one sequence at a time; bodies differ only in their layout."""

    def __init__(self, config: NativeTrunkConfig, slots: Mapping[str, tuple[int, int]]) -> None:
        """Make the trunk.

        Args:
            config: Sizes.
            slots: For each group name, its steps t and tokens n; each gets learned positions.
        """
        super().__init__()
        self.config = config
        self.positions = nn.ParameterDict(
            {
                _safe(name): nn.Parameter(torch.randn(steps, tokens, config.width) * 0.02)
                for name, (steps, tokens) in slots.items()
            }
        )
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width)

    def forward(self, groups: Mapping[str, TokenGroup], layout: Layout) -> TrunkOutput:
        """Read all groups of one layout.

        Args:
            groups: By name, the groups of `layout`.
            layout: Their order and attention rules.
        """
        values, valid = {}, {}
        for name, group in groups.items():
            position = self.positions[_safe(name)]
            values[name] = group.values + position[-group.values.shape[1] :]
            valid[name] = group.valid
        x, real = layout.join(values), layout.join(valid)
        allowed = layout.mask.to(x.device) & real[:, None, :]
        # A token always reads itself, so that no row of the softmax is empty.
        allowed = allowed | torch.eye(len(layout), dtype=torch.bool, device=x.device)
        memory = []
        for block in self.blocks:
            x, kept = block(x, allowed[:, None], None)
            memory.append(kept)
        return TrunkOutput(self.norm(x), real, tuple(memory))

    def extend(
        self,
        tokens: Float[Tensor, "b m d"],
        memory: Memory,
        visible: Bool[Tensor, "b length"],
    ) -> tuple[Float[Tensor, "b m d"], Memory]:
        """Continue the trunk by m tokens that read `visible` memory, each other causally.

        Args:
            tokens: New tokens, with whatever positions they need already added.
            memory: Keys and values so far.
            visible: Which places of the memory the new tokens may read.

        Returns:
            Their outputs, and the memory with them at its end.
        """
        count, device = tokens.shape[1], tokens.device
        causal = torch.ones(count, count, dtype=torch.bool, device=device).tril()
        allowed = torch.cat(
            [visible[:, None, :].expand(-1, count, -1), causal.expand(len(tokens), -1, -1)], dim=-1
        )
        x, longer = tokens, []
        for block, past in zip(self.blocks, memory, strict=True):
            x, kept = block(x, allowed[:, None], past)
            longer.append(kept)
        return self.norm(x), tuple(longer)


class Block(nn.Module):
    """Attention and a feed-forward layer, each behind a LayerNorm."""

    def __init__(self, config: NativeTrunkConfig) -> None:
        super().__init__()
        width, inner = config.width, config.width * config.mlp_ratio
        self.heads = config.heads
        self.attention_norm, self.mlp_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.project_in, self.project_out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        activation: nn.Module = nn.ReLU() if config.activation == "relu" else nn.GELU()
        self.mlp = nn.Sequential(nn.Linear(width, inner), activation, nn.Linear(inner, width))

    def forward(
        self, x: Tensor, allowed: Tensor, past: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """One layer; returns its output and the keys and values including `past`."""
        projected = self.project_in(self.attention_norm(x))
        heads = projected.unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        query, key, value = heads.unbind(0)  # each (b, h, n, c)
        if past is not None:
            key, value = torch.cat([past[0], key], 2), torch.cat([past[1], value], 2)
        read = attend(query, key, value, allowed)
        x = x + self.project_out(read.transpose(1, 2).flatten(2))
        return x + self.mlp(self.mlp_norm(x)), (key, value)


def _safe(name: str) -> str:
    return name.replace(".", "·")  # a ParameterDict key may not hold a dot
