"""Settings of the native trunk, and its usual sizes."""

from dataclasses import dataclass, replace
from typing import Any, Literal

from torch import nn

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
    positions: Literal["learned", "rotary"] = "learned"
    """How steps are told apart. The tokens of one step have learned positions either way."""
    max_frames: int | None = None
    """Steps for which there are learned positions, of which a window takes the first; None for
    those of the window."""
    span: int | None = None
    """Streaming: steps, its own included, that each layer reads. What a layer made of a frame then
    stays as it is while the stream goes on, so that only new frames are computed. It takes rotary
    positions, which do not change as a frame grows older."""
    shifted: bool = False
    """Whether a readout's first token counts as one of the group before it, so that others read it,
    as in Octo's models of December 2023."""

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
        rotary = self.positions == "rotary"
        if rotary and (self.max_frames is not None or self.width // self.heads % 2):
            raise ValueError(
                "rotary positions have no max_frames and need heads of even width, got "
                f"{self.max_frames} and {self.width // self.heads}."
            )
        if self.span is not None and (self.span < 1 or not rotary):
            raise ValueError(
                "a span must be at least 1 and needs positions 'rotary', got "
                f"{self.span} and '{self.positions}'."
            )


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


def norm(config: NativeTrunkConfig) -> nn.LayerNorm | nn.RMSNorm:
    """The norm of this trunk's width."""
    kind = nn.RMSNorm if config.norm == "rms" else nn.LayerNorm
    return kind(config.width, eps=config.epsilon)
