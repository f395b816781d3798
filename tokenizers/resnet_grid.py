"""Turn an image into a token for each place of a ResNet's feature map, as ACT does.

Source: Zhao et al., "Learning Fine-Grained Bimanual Manipulation with Low-Cost Hardware", 2023,
section IV-C; huggingface/lerobot, policies/act (positions along both axes as sines and cosines).
There they are added again in every layer, here once.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from octoverse.tokenizer import StreamBatch
from octoverse.tokens import Role, TokenGroup, in_frames
from octoverse.vision.pixels import check_size
from octoverse.vision.resnet import Depth, Norm, ResNet, normalised


@dataclass(frozen=True, kw_only=True)
class ResNetGridTokenizerConfig:
    """Settings of ResNetGridTokenizer."""

    height: int
    """Height of the preprocessed image."""
    width: int
    """Width of the preprocessed image."""
    depth: Depth = 18
    """Layers of the ResNet."""
    norm: Norm = "frozen_batch"
    """frozen_batch takes torchvision's trained weights; group learns better from nothing."""
    channels: int = 64
    """Channels of the first stage; 64 in the published networks."""

    inputs: ClassVar[tuple[str, ...]] = ("image",)
    role: ClassVar[Role] = "observation"

    def __post_init__(self) -> None:
        if min(self.height, self.width) < 1:
            raise ValueError(
                f"height and width must be at least 1 pixel, got {self.height} and {self.width}."
            )

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the feature map."""
        return -(-self.height // 32), -(-self.width // 32)

    @property
    def tokens(self) -> int:
        """Places of the feature map."""
        return math.prod(self.grid)

    def build(self, width: int) -> "ResNetGridTokenizer":
        """Make the tokenizer."""
        return ResNetGridTokenizer(self, width)


class ResNetGridTokenizer(nn.Module):
    """The last feature map of a ResNet, mapped to the trunk's width place by place."""

    positions: Tensor

    def __init__(self, config: ResNetGridTokenizerConfig, width: int) -> None:
        super().__init__()
        self.size = config.height, config.width
        self.resnet = ResNet(config.depth, norm=config.norm, channels=config.channels)
        self.write = nn.Linear(self.resnet.channels, width)  # a 1 x 1 convolution
        self.register_buffer("positions", grid_positions(*config.grid, width), persistent=False)

    def forward(self, streams: Mapping[str, StreamBatch]) -> TokenGroup:
        """Read "image", uint8 (b, t, h, w, 3)."""
        image = streams["image"]
        check_size(image.values, *self.size)
        found = self.resnet.features(normalised(image.values.flatten(0, 1)))
        places = self.write(found.flatten(2).transpose(1, 2)) + self.positions  # (b t, n, d)
        return in_frames(places, image.valid)


def grid_positions(rows: int, columns: int, width: int) -> Float[Tensor, "n d"]:
    """Where each place of a grid is: sines and cosines of its row, then of its column.

    A row counts from 1 and is scaled so that the last is at 2 pi, and so is a column.

    Raises:
        ValueError: if the width cannot be shared out.
    """
    if width % 4:
        raise ValueError(
            f"a trunk of width {width} has no room for the sines and cosines of two axes; choose a "
            "multiple of 4."
        )
    rate = 10_000.0 ** -(torch.arange(0, width // 2, 2) / (width // 2))
    parts = []
    for count in (rows, columns):
        angle = torch.arange(1, count + 1)[:, None] / count * 2 * math.pi * rate
        parts.append(torch.stack([angle.sin(), angle.cos()], -1).flatten(1))  # (count, d / 2)
    down = parts[0][:, None].expand(-1, columns, -1)
    right = parts[1][None].expand(rows, -1, -1)
    return torch.cat([down, right], -1).flatten(0, 1)
