"""Turn an image into patch tokens through a small convolutional stem.

Source: Octo Model Team, "Octo", 2024, appendix (shallow convolutional stem before the patches);
Xiao et al., "Early convolutions help transformers see better", 2021.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from octoverse.tokenizer import StreamBatch
from octoverse.tokens import Role, TokenGroup


@dataclass(frozen=True, kw_only=True)
class ImageTokenizerConfig:
    """Settings of ImageTokenizer."""

    height: int
    """Height of the preprocessed image."""
    width: int
    """Width of the preprocessed image."""
    patch: int = 16
    """Side of the square that becomes one token."""
    channels: int = 32
    """Channels after the first convolution; they double with every halving."""

    inputs: ClassVar[tuple[str, ...]] = ("image",)
    role: ClassVar[Role] = "observation"

    def __post_init__(self) -> None:
        if self.patch < 2 or self.patch & (self.patch - 1):
            raise ValueError(f"patch must be a power of 2 and at least 2, got {self.patch}.")
        if self.height % self.patch or self.width % self.patch:
            raise ValueError(
                f"an image of {self.height} x {self.width} cannot be cut into patches of "
                f"{self.patch}; choose sizes that the patch divides."
            )

    @property
    def tokens(self) -> int:
        """Patches in one image."""
        return (self.height // self.patch) * (self.width // self.patch)

    def build(self, width: int) -> "ImageTokenizer":
        """Make the tokenizer."""
        return ImageTokenizer(self, width)


class ImageTokenizer(nn.Module):
    """Strided convolutions down to one position per patch, then a linear map."""

    def __init__(self, config: ImageTokenizerConfig, width: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before, after, side = 3, config.channels, 1
        while side < config.patch:
            layers += [nn.Conv2d(before, after, 3, 2, 1), nn.GroupNorm(8, after), nn.ReLU()]
            before, after, side = after, min(2 * after, width), 2 * side
        self.stem = nn.Sequential(*layers, nn.Conv2d(before, width, 1))

    def forward(self, streams: Mapping[str, StreamBatch]) -> TokenGroup:
        """Read "image", uint8 (b, t, h, w, 3)."""
        image = streams["image"]
        pixels = image.values.flatten(0, 1).permute(0, 3, 1, 2).float() / 127.5 - 1
        patches = self.stem(pixels).flatten(2).transpose(1, 2)  # (b t, n, d)
        values = patches.unflatten(0, image.valid.shape)
        return TokenGroup(values, image.valid[..., None].expand(values.shape[:3]))
