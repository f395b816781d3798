"""Turn an image into where a few things are, with convolutions that know the instruction.

Source: Finn et al., "Deep spatial autoencoders", 2016, section IV (spatial softmax); Perez et al.,
"FiLM", 2018 (the instruction scales and shifts every channel).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from octoverse.text import InstructionEncoder, Language
from octoverse.tokenizer import StreamBatch
from octoverse.tokens import Role, TokenGroup


@dataclass(frozen=True, kw_only=True)
class KeypointsTokenizerConfig:
    """Settings of KeypointsTokenizer."""

    keypoints: int = 32
    """Places found in one image."""
    channels: int = 64
    """Channels of the convolutions."""
    tokens: int = 1
    """Tokens that the places are written into."""
    language: Language = "bytes"
    """How the instruction is read."""

    inputs: ClassVar[tuple[str, ...]] = ("image", "instruction")
    role: ClassVar[Role] = "observation"

    def __post_init__(self) -> None:
        if min(self.keypoints, self.tokens, self.channels // 2) < 1:
            raise ValueError(
                "keypoints and tokens must be at least 1 and channels at least 2, got "
                f"{self.keypoints}, {self.tokens} and {self.channels}."
            )
        if self.keypoints % self.tokens:
            raise ValueError(
                f"keypoints ({self.keypoints}) must be a multiple of tokens ({self.tokens})."
            )

    def build(self, width: int) -> "KeypointsTokenizer":
        """Make the tokenizer."""
        return KeypointsTokenizer(self, width)


class KeypointsTokenizer(nn.Module):
    """Three convolutions modulated by the instruction, then the mean place of each channel."""

    def __init__(self, config: KeypointsTokenizerConfig, width: int) -> None:
        super().__init__()
        c, self.config = config.channels, config
        self.encode = InstructionEncoder(config.language, 64)
        self.convolutions = nn.ModuleList(
            [
                nn.Conv2d(3, c // 2, 5, 2, 2),
                nn.Conv2d(c // 2, c, 3, 1, 1),
                nn.Conv2d(c, c, 3, 1, 1),
            ]
        )
        self.modulate = nn.ModuleList(nn.Linear(64, 2 * n) for n in (c // 2, c, c))
        self.find = nn.Conv2d(c, config.keypoints, 1)
        self.write = nn.Linear(3 * config.keypoints // config.tokens, width)

    def forward(self, streams: Mapping[str, StreamBatch]) -> TokenGroup:
        """Read "image", uint8 (b, t, h, w, 3), and "instruction", b strings."""
        image = streams["image"]
        b, t = image.valid.shape
        words = self.encode(streams["instruction"].values).repeat_interleave(t, 0)
        x = image.values.flatten(0, 1).permute(0, 3, 1, 2).float() / 127.5 - 1
        for convolution, modulate in zip(self.convolutions, self.modulate, strict=True):
            scale, shift = modulate(words)[:, :, None, None].chunk(2, 1)
            x = torch.relu(convolution(x) * (1 + scale) + shift)
        places = spatial_softmax(self.find(x))  # (b t, k, 3)
        values = self.write(places.reshape(b, t, self.config.tokens, -1))
        return TokenGroup(values, image.valid[..., None].expand(values.shape[:3]))


def spatial_softmax(maps: Float[Tensor, "b k h w"]) -> Float[Tensor, "b k 3"]:
    """Mean place x, y of each map's softmax in [-1, 1], and the mean of the map under it."""
    height, width = maps.shape[-2:]
    flat = maps.float().flatten(2)
    weight = flat.softmax(-1)  # (b, k, h w)
    down = torch.linspace(-1, 1, height, device=maps.device).repeat_interleave(width)
    right = torch.linspace(-1, 1, width, device=maps.device).repeat(height)
    place = weight @ torch.stack([right, down], -1)  # (b, k, 2)
    strength = (weight * flat).sum(-1, keepdim=True)
    return torch.cat([place, 0.1 * strength], -1)
