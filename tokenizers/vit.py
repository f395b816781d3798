"""Turn an image into patch tokens by a vision transformer; without layers, into plain patches.

Source: Dosovitskiy et al., "An image is worth 16x16 words", 2021, section 3.1 and appendix D.4
(learned two-dimensional positions). There is no class token: every patch is a token for the trunk.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn

from octoverse.tokenizer import StreamBatch
from octoverse.tokens import Role, TokenGroup, in_frames
from octoverse.trunk.block import Block
from octoverse.trunk.config import NativeTrunkConfig
from octoverse.vision.patches import LinearPatches, check_patches
from octoverse.vision.pixels import check_size


@dataclass(frozen=True, kw_only=True)
class ViTTokenizerConfig:
    """Settings of ViTTokenizer."""

    height: int
    """Height of the preprocessed image."""
    width: int
    """Width of the preprocessed image."""
    patch: int = 16
    """Side of the square that becomes one token."""
    layers: int = 0
    """Transformer blocks over the patches of one image, as wide as the trunk."""
    heads: int = 4
    """Attention heads in a block."""

    inputs: ClassVar[tuple[str, ...]] = ("image",)
    role: ClassVar[Role] = "observation"

    def __post_init__(self) -> None:
        check_patches(self.height, self.width, self.patch)
        if self.layers < 0 or self.heads < 1:
            raise ValueError(
                f"layers must be at least 0 and heads at least 1, got {self.layers} and "
                f"{self.heads}."
            )

    @property
    def tokens(self) -> int:
        """Patches in one image."""
        return (self.height // self.patch) * (self.width // self.patch)

    def build(self, width: int) -> "ViTTokenizer":
        """Make the tokenizer."""
        return ViTTokenizer(self, width)


class ViTTokenizer(nn.Module):
    """A linear map of every patch, then blocks in which the patches of an image read each other."""

    def __init__(self, config: ViTTokenizerConfig, width: int) -> None:
        super().__init__()
        self.size = config.height, config.width
        self.patches = LinearPatches(config.patch, width)
        self.layers = config.layers
        if config.layers:
            rows, columns = config.height // config.patch, config.width // config.patch
            self.row = nn.Parameter(0.02 * torch.randn(rows, 1, width))
            self.column = nn.Parameter(0.02 * torch.randn(columns, width))
            block = NativeTrunkConfig(width=width, layers=config.layers, heads=config.heads)
            self.blocks = nn.ModuleList(Block(block) for _ in range(config.layers))
            self.norm = nn.LayerNorm(width)

    def forward(self, streams: Mapping[str, StreamBatch]) -> TokenGroup:
        """Read "image", uint8 (b, t, h, w, 3)."""
        image = streams["image"]
        check_size(image.values, *self.size)
        x = self.patches(image.values)  # (b t, n, d)
        if self.layers:  # the trunk gives positions to what it reads itself
            x = x + (self.row + self.column).flatten(0, 1)
            for block in self.blocks:
                x, _, _ = block(x)
            x = self.norm(x)
        return in_frames(x, image.valid)
