"""Turn an image, with the image to be reached beside it, into patch tokens as Octo does.

Source: Octo Model Team, "Octo", 2024, appendix; octo-models/octo, model/components/vit_encoders.py
(SmallStem16) and tokenizers.py (ImageTokenizer); Qiao et al., "Micro-batch training with
batch-channel normalization and weight standardization", 2019.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn import functional as F

from octoverse.packed import Origin
from octoverse.tokenizer import StreamBatch
from octoverse.tokens import Role, TokenGroup, in_frames
from octoverse.vision.pixels import centred, check_size

_GROUPS = 32
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True, kw_only=True)
class OctoStemTokenizerConfig:
    """Settings of OctoStemTokenizer."""

    height: int
    """Height of the preprocessed image."""
    width: int
    """Width of the preprocessed image."""
    goal: bool = True
    """Whether a goal image is stacked behind the image's channels; zeros where there is none."""
    channels: tuple[int, ...] = (32, 96, 192, 384)
    """Channels after each convolution; every one halves the image."""
    side: int = 1
    """Side of the square of the last convolution's places that becomes one token."""
    features: int = 512
    """Numbers in a token before it is mapped to the trunk's width."""
    pixels: Literal["symmetric", "imagenet"] = "symmetric"
    """Pixels from -1 to 1, or standardised by ImageNet's mean and deviation of each colour."""

    role: ClassVar[Role] = "observation"
    optional: ClassVar[tuple[str, ...]] = ("goal",)

    def __post_init__(self) -> None:
        if not self.channels or any(n < 1 or n % _GROUPS for n in self.channels):
            raise ValueError(
                f"channels must be multiples of {_GROUPS}, the groups that are normalised "
                f"together, got {self.channels}."
            )
        if self.side < 1:
            raise ValueError(f"side must be at least 1, got {self.side}.")
        if min(self.features, *self.grid) < 1:
            raise ValueError(
                f"an image of {self.height} x {self.width} gives {self.grid[0]} x {self.grid[1]} "
                f"tokens of {self.features} numbers; choose a larger image, or fewer channels."
            )

    @property
    def inputs(self) -> tuple[str, ...]:
        """The image, and the goal where it is stacked."""
        return ("image", "goal") if self.goal else ("image",)

    @property
    def grid(self) -> tuple[int, int]:
        """Tokens down and across."""
        down, across = self.height, self.width
        for _ in self.channels:
            down, across = -(-down // 2), -(-across // 2)
        return down // self.side, across // self.side

    @property
    def tokens(self) -> int:
        """Tokens of one image."""
        return self.grid[0] * self.grid[1]

    def build(self, width: int) -> "OctoStemTokenizer":
        """Make the tokenizer."""
        return OctoStemTokenizer(self, width)


class OctoStemTokenizer(nn.Module):
    """Weight-standardised convolutions, one vector per patch, a linear map to the trunk's width."""

    def __init__(self, config: OctoStemTokenizerConfig, width: int) -> None:
        super().__init__()
        self.config = config
        first = 6 if config.goal else 3
        self.convolutions = nn.ModuleList(
            StandardisedConv2d(before, after, 3, 2, 1)
            for before, after in zip((first, *config.channels), config.channels, strict=False)
        )
        self.norms = nn.ModuleList(nn.GroupNorm(_GROUPS, n, eps=1e-6) for n in config.channels)
        self.embed = nn.Conv2d(config.channels[-1], config.features, config.side, config.side)
        self.project = nn.Linear(config.features, width)

    def forward(self, streams: Mapping[str, StreamBatch]) -> TokenGroup:
        """Read "image", uint8 (b, t, h, w, 3), and "goal" of the same size, the goal of each step.

        Only the image decides whether its tokens are real. A goal that is not real reads as zeros,
        and so does that of a body which has none.
        """
        image, goal = streams["image"], streams.get("goal")
        check_size(image.values, self.config.height, self.config.width)
        pixels = self._stacked(image.values, goal) if self.config.goal else image.values
        x = self._scaled(pixels)  # (b t, c, h, w)
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            x = norm(convolution(x)).relu_()
        patches = self.embed(x).flatten(2).transpose(1, 2)  # (b t, n, features)
        return in_frames(self.project(patches), image.valid)

    def _stacked(self, image: UInt8[Tensor, "b t h w 3"], goal: StreamBatch | None) -> Tensor:
        """Behind every image the goal that came with it, (b, t, h, w, 6)."""
        if goal is None:
            return torch.cat([image, torch.zeros_like(image)], -1)
        return torch.cat([image, goal.values * goal.valid[..., None, None, None]], -1)

    def _scaled(self, pixels: UInt8[Tensor, "b t h w c"]) -> Float[Tensor, "n c h w"]:
        x = centred(pixels)
        if self.config.pixels == "symmetric":
            return x
        mean, std = (
            torch.tensor(colours, device=x.device).repeat(x.shape[1] // 3)[:, None, None]
            for colours in (_MEAN, _STD)
        )
        return ((x + 1) / 2 - mean) / std


class StandardisedConv2d(nn.Conv2d):
    """A convolution whose kernels are brought to mean 0 and deviation 1 before they are used."""

    _kept: tuple[Origin, Tensor] | None = None

    def forward(self, input: Tensor) -> Tensor:
        """Convolve (b, c, h, w)."""
        return F.conv2d(input, self._kernel(), self.bias, self.stride, self.padding)

    def _kernel(self) -> Tensor:
        """The kernels as they are used; worked out once for weights that are not trained."""
        if torch.is_grad_enabled():
            return standardised(self.weight)
        sources, dtype = (self.weight,), self.weight.dtype
        if self._kept is None or not self._kept[0].is_of(sources, dtype):
            self._kept = Origin.of(sources, dtype), standardised(self.weight)
        return self._kept[1]


def standardised(kernels: Float[Tensor, "o i h w"]) -> Float[Tensor, "o i h w"]:
    """Kernels less their means, over their standard deviations and a little more."""
    wide = kernels.float()
    wide = wide - wide.mean((1, 2, 3), keepdim=True)
    spread = wide.square().mean((1, 2, 3), keepdim=True).sqrt()
    return (wide / (spread + 1e-5)).to(kernels.dtype)
