"""Our own transformer trunk: pre-norm blocks over one body's layout, same weights for all bodies.

Source: Octo Model Team, "Octo", 2024, section III-A and appendix; learned positions per group.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from octoverse.errors import BadConfig
from octoverse.tokens import GroupSpec, Layout, TokenGroup
from octoverse.trunk.attention import attend

Memory = tuple[tuple[Tensor, Tensor], ...]
"""Keys and values of every layer, each (b, heads, length, c)."""


Size = Literal["tiny", "small", "base", "large"]


@dataclass(frozen=True, kw_only=True)
class NativeTrunkConfig:
    """Settings of NativeTrunk."""

    width: int = 256
    """Model width d."""
    layers: int = 4
    """With none, tokens reach the readouts as their tokenizers made them, normalised."""
    heads: int = 4
    mlp_ratio: float = 4.0
    """Width of the feed-forward layer, in multiples of the model width."""
    activation: Literal["relu", "gelu", "gelu_tanh", "swiglu"] = "gelu"
    """relu trains a fifth faster on a CPU; gelu_tanh is Octo's, swiglu that of language models."""
    norm: Literal["layer", "rms"] = "layer"
    epsilon: float = 1e-5
    """What keeps a norm from dividing by zero."""
    max_frames: int | None = None
    """Steps for which there are learned positions, of which a window takes the first; None for
    those of the window."""

    def __post_init__(self) -> None:
        if min(self.width, self.heads) < 1 or self.layers < 0 or not self.mlp_ratio > 0:
            raise ValueError(
                "width and heads must be at least 1, layers at least 0 and mlp_ratio above 0, got "
                f"{self.width}, {self.heads}, {self.layers} and {self.mlp_ratio}."
            )
        if self.width % self.heads:
            raise ValueError(f"width ({self.width}) must be divisible by heads ({self.heads}).")
        if self.max_frames is not None and self.max_frames < 1:
            raise ValueError(f"max_frames must be at least 1, got {self.max_frames}.")


def sized(size: Size, **changes: Any) -> NativeTrunkConfig:
    """The trunk of a usual size, with other settings changed.

    Source: small and base are those of ViT and Octo, large that of ViT.
    """
    width, layers, heads = {
        "tiny": (64, 2, 4),
        "small": (384, 12, 6),
        "base": (768, 12, 12),
        "large": (1024, 24, 16),
    }[size]
    return replace(NativeTrunkConfig(width=width, layers=layers, heads=heads), **changes)


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
            slots: For each group name, the steps t and tokens n that get learned positions.
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
        self.norm = norm(config)

    def forward(self, groups: Mapping[str, TokenGroup], layout: Layout) -> TrunkOutput:
        """Read all groups of one layout.

        Args:
            groups: By name, the groups of `layout`.
            layout: Their order and attention rules.
        """
        values, valid = dict[str, Tensor](), dict[str, Tensor]()
        for name, spec in layout.groups.items():
            if spec.repeats:
                b = len(values[spec.repeats])
                values[name] = values[spec.repeats].expand(b, spec.steps, -1, -1)
                valid[name] = valid[spec.repeats].expand(b, spec.steps, -1)
            else:
                values[name] = groups[name].values + self._position(spec, layout.steps)
                valid[name] = groups[name].valid
        x, real = layout.join(values), layout.join(valid)
        allowed = layout.mask.to(x.device) & real[:, None, :]
        # Where there is nothing to read, a token reads itself: no row of the softmax is empty.
        alone = ~allowed.any(-1, keepdim=True)
        allowed = allowed | (alone & torch.eye(len(layout), dtype=torch.bool, device=x.device))
        memory = []
        for block in self.blocks:
            x, kept = block(x, allowed[:, None], None)
            memory.append(kept)
        return TrunkOutput(self.norm(x), real, tuple(memory))

    def _position(self, spec: GroupSpec, steps: int) -> Float[Tensor, "t n d"]:
        """Learned positions of a group whose last step is the window's."""
        table = self.positions[_safe(spec.name)]
        if len(table) == spec.steps:
            return table
        if len(table) < steps:
            raise BadConfig(
                f"'{spec.name}' has learned positions for {len(table)} steps, got a window of "
                f"{steps}. Shorten the window, or train with more max_frames."
            )
        return table[steps - spec.steps : steps]

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
    """Attention and a feed-forward layer, each behind a norm."""

    def __init__(self, config: NativeTrunkConfig) -> None:
        super().__init__()
        width, inner = config.width, round(config.width * config.mlp_ratio)
        self.heads = config.heads
        self.attention_norm, self.mlp_norm = norm(config), norm(config)
        self.project_in, self.project_out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        gated = config.activation == "swiglu"
        first = nn.Linear(width, 2 * inner if gated else inner)
        self.mlp = nn.Sequential(first, _ACTIVATIONS[config.activation](), nn.Linear(inner, width))

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


class Gate(nn.Module):
    """Half of the channels, let through by the other half (Shazeer, "GLU variants", 2020)."""

    def forward(self, x: Tensor) -> Tensor:
        """Halve the last axis."""
        gate, value = x.chunk(2, -1)
        return F.silu(gate) * value


_ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "gelu_tanh": lambda: nn.GELU("tanh"),
    "swiglu": Gate,
}


def norm(config: NativeTrunkConfig) -> nn.LayerNorm | nn.RMSNorm:
    """The norm of this trunk's width."""
    kind = nn.RMSNorm if config.norm == "rms" else nn.LayerNorm
    return kind(config.width, eps=config.epsilon)


def _safe(name: str) -> str:
    return name.replace(".", "·")  # a ParameterDict key may not hold a dot
