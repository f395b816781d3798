"""Turn however many features into a fixed number of tokens: learned queries read them.

Source: HPT (Wang et al., "Scaling proprioceptive-visual learning with heterogeneous pre-trained
transformers", 2024, section 3.1; liruiw/HPT, policy_stem.py): two layers over every feature, then
cross-attention of 8 heads, 64 wide, by 16 queries. HPT reads all frames of a window with one set of
queries; here every frame has its own tokens. Its dropout is left out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from octoverse.sinusoids import sinusoids
from octoverse.tokenizer import StreamBatch
from octoverse.tokens import Role, TokenGroup, in_frames
from octoverse.trunk.attention import attend
from octoverse.vision.patches import check_patches, cut
from octoverse.vision.pixels import check_size
from octoverse.vision.resnet import Norm, ResNet, normalised

_HEAD = 64
_HIDDEN = 128


@dataclass(frozen=True, kw_only=True)
class ImageResamplerConfig:
    """Settings of ImageResampler."""

    height: int
    """Height of the preprocessed image."""
    width: int
    """Width of the preprocessed image."""
    tokens: int = 16
    """Tokens that an image becomes."""
    features: Literal["resnet", "patches"] = "resnet"
    """What the queries read: the places of a ResNet-18's feature map, or pixels of patches."""
    patch: int = 16
    """Side of a patch, where patches are read."""
    channels: int = 64
    """Channels of the ResNet's first stage."""
    norm: Norm = "group"
    """Of the ResNet: "group" learns from nothing, "frozen_batch" is for trained weights."""
    heads: int = 8
    """Heads of the cross-attention."""

    inputs: ClassVar[tuple[str, ...]] = ("image",)
    role: ClassVar[Role] = "observation"

    def __post_init__(self) -> None:
        _check(self.tokens, self.heads)
        if self.features == "patches":
            check_patches(self.height, self.width, self.patch)

    def build(self, width: int) -> "ImageResampler":
        """Make the tokenizer."""
        return ImageResampler(self, width)


@dataclass(frozen=True, kw_only=True)
class StateResamplerConfig:
    """Settings of StateResampler."""

    size: int
    """Numbers n in the state."""
    tokens: int = 16
    """Tokens that a state becomes."""
    heads: int = 8
    """Heads of the cross-attention."""

    inputs: ClassVar[tuple[str, ...]] = ("state",)
    role: ClassVar[Role] = "observation"

    def __post_init__(self) -> None:
        _check(self.tokens, self.heads)

    def build(self, width: int) -> "StateResampler":
        """Make the tokenizer."""
        return StateResampler(self, width)


class ImageResampler(nn.Module):
    """Queries that read one image's features."""

    def __init__(self, config: ImageResamplerConfig, width: int) -> None:
        super().__init__()
        self.config = config
        if config.features == "resnet":
            self.resnet = ResNet(18, norm=config.norm, channels=config.channels)
            places, size = -(-config.height // 32) * -(-config.width // 32), self.resnet.channels
        else:
            side = config.patch
            places, size = config.height // side * (config.width // side), side * side * 3
        self.resample = Resampler(places, size, config.tokens, config.heads, width)

    def forward(self, streams: Mapping[str, StreamBatch]) -> TokenGroup:
        """Read "image", uint8 (b, t, h, w, 3)."""
        image = streams["image"]
        check_size(image.values, self.config.height, self.config.width)
        if self.config.features == "resnet":
            maps = self.resnet(normalised(image.values.flatten(0, 1)))
            features = maps.flatten(2).transpose(1, 2)  # (b t, places, c)
        else:
            features = cut(image.values, self.config.patch)
        return in_frames(self.resample(features), image.valid)


class StateResampler(nn.Module):
    """Queries that read a state, every number of which is a feature."""

    def __init__(self, config: StateResamplerConfig, width: int) -> None:
        super().__init__()
        self.resample = Resampler(config.size, 1, config.tokens, config.heads, width)

    def forward(self, streams: Mapping[str, StreamBatch]) -> TokenGroup:
        """Read "state", scaled numbers (b, t, n); beyond 5 standard deviations they are clipped."""
        state = streams["state"]
        numbers = state.values.clamp(-5, 5).flatten(0, 1)[..., None]  # (b t, n, 1)
        return in_frames(self.resample(numbers), state.valid)


class Resampler(nn.Module):
    """Two layers over every feature, its place, and cross-attention by learned queries."""

    def __init__(self, places: int, size: int, tokens: int, heads: int, width: int) -> None:
        """Make the resampler.

        Args:
            places: Features that are read at once.
            size: Numbers of a feature.
            tokens: Queries.
            heads: Of the attention.
            width: Model width d.
        """
        super().__init__()
        self.heads = heads
        self.prepare = nn.Sequential(nn.Linear(size, _HIDDEN), nn.SiLU(), nn.Linear(_HIDDEN, width))
        self.register_buffer("places", sinusoids(places, width), persistent=False)
        self.queries = nn.Parameter(0.02 * torch.randn(tokens, width))
        inner = heads * _HEAD
        self.query = nn.Linear(width, inner, bias=False)
        self.key_value = nn.Linear(width, 2 * inner, bias=False)
        self.write = nn.Linear(inner, width)

    def forward(self, features: Float[Tensor, "m places e"]) -> Float[Tensor, "m n d"]:
        """Read every row of features by itself."""
        known = self.prepare(features) + self.get_buffer("places")
        return self.attend(known)

    def attend(self, known: Float[Tensor, "m places d"]) -> Float[Tensor, "m n d"]:
        """What the queries find among what is known; in whatever order it stands."""
        query = self._split(self.query(self.queries).expand(len(known), -1, -1))
        key, value = self.key_value(known).chunk(2, -1)
        every = torch.ones(1, 1, 1, 1, dtype=torch.bool, device=known.device)
        mask = every.expand(len(known), 1, query.shape[2], known.shape[1])
        read = attend(query, self._split(key), self._split(value), mask)
        written: Tensor = self.write(read.transpose(1, 2).flatten(2))
        return written

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, _HEAD)).transpose(1, 2)  # (m, heads, n, c)


def _check(tokens: int, heads: int) -> None:
    if min(tokens, heads) < 1:
        raise ValueError(f"tokens and heads must be at least 1, got {tokens} and {heads}.")
