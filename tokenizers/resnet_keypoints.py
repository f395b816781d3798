"""Turn an image into where a few things are: a ResNet, then the mean place of each of its maps.

Source: Chi et al., "Diffusion Policy", 2023, section III-B (ResNet-18, GroupNorm for BatchNorm,
spatial softmax for the mean of the last map); sizes of huggingface/lerobot, policies/diffusion;
Finn et al., "Deep spatial autoencoders", 2016, section IV. A random crop in training is a matter of
`PreprocessConfig.augmentation`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from octoverse.errors import SpecMismatch
from octoverse.tokenizer import StreamBatch
from octoverse.tokenizers.keypoints import spatial_softmax
from octoverse.tokens import Role, TokenGroup, in_frames
from octoverse.vision.resnet import Depth, ResNet, normalised


@dataclass(frozen=True, kw_only=True)
class ResNetKeypointsTokenizerConfig:
    """Settings of ResNetKeypointsTokenizer; Diffusion Policy's."""

    keypoints: int = 32
    """Places found in one image."""
    depth: Depth = 18
    """Layers of the ResNet."""
    channels: int = 64
    """Channels of its first stage, a multiple of 16; each stage doubles them."""

    inputs: ClassVar[tuple[str, ...]] = ("image",)
    role: ClassVar[Role] = "observation"
    tokens: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if self.keypoints < 1 or self.channels < 16 or self.channels % 16:
            raise ValueError(
                "keypoints must be at least 1 and channels a multiple of 16, got "
                f"{self.keypoints} and {self.channels}."
            )

    def build(self, width: int) -> "ResNetKeypointsTokenizer":
        """Make the tokenizer."""
        return ResNetKeypointsTokenizer(self, width)


class ResNetKeypointsTokenizer(nn.Module):
    """One token for an image of any size."""

    def __init__(self, config: ResNetKeypointsTokenizerConfig, width: int) -> None:
        super().__init__()
        self.resnet = ResNet(config.depth, norm="group", channels=config.channels)
        self.find = nn.Conv2d(self.resnet.channels, config.keypoints, 1)
        self.write = nn.Sequential(nn.Linear(2 * config.keypoints, width), nn.ReLU())

    def forward(self, streams: Mapping[str, StreamBatch]) -> TokenGroup:
        """Read "image", uint8 (b, t, h, w, 3)."""
        image = streams["image"]
        maps = self.find(self.resnet.features(normalised(image.values.flatten(0, 1))))
        if maps.shape[-2:] == (1, 1):
            height, width = image.values.shape[2:4]
            raise SpecMismatch(
                f"an image of {height} x {width} becomes a map of one place, which says nothing of "
                "where things are. Prepare images of more than 32 pixels a side."
            )
        places = spatial_softmax(maps)[..., :2].flatten(1).to(maps.dtype)  # (b t, 2 k)
        return in_frames(self.write(places)[:, None], image.valid)
