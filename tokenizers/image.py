"""Turn an image into patch tokens through a small convolutional stem.

Source: Octo Model Team, "Octo", 2024, appendix (shallow convolutional stem before the patches);
Xiao et al., "Early convolutions help transformers see better", 2021.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from octoverse.tokenizer import StreamBatch
from octoverse.tokens import Role, TokenGroup, in_frames
from octoverse.vision.patches import check_patches, convolutions
from octoverse.vision.pixels import centred


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
        check_patches(self.height, self.width, self.patch)

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
        self.stem = convolutions(config.patch, width, config.channels)

    def forward(self, streams: Mapping[str, StreamBatch]) -> TokenGroup:
        """Read "image", uint8 (b, t, h, w, 3)."""
        image = streams["image"]
        patches = self.stem(centred(image.values)).flatten(2).transpose(1, 2)  # (b t, n, d)
        return in_frames(patches, image.valid)
