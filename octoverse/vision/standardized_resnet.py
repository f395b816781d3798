"""A residual network of bottleneck units whose convolutions are standardised, ending at 1/32.

Source: the ResNet-26 of CrossFormer (rail-berkeley/crossformer, vit_encoders.py), after Kolesnikov
et al., "Big Transfer", 2020, section 3 (weight standardisation with GroupNorm). Padding is
symmetric here, where the original's falls more to the right and to the bottom.
"""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from octoverse.vision.resnet import Film


class StandardizedConv2d(nn.Conv2d):
    """A convolution without bias, every kernel of which has mean 0 and standard deviation 1."""

    def __init__(self, before: int, after: int, side: int, stride: int = 1) -> None:
        super().__init__(before, after, side, stride, side // 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Standardise, convolve."""
        kernel = self.weight
        flat = F.layer_norm(kernel.flatten(1), (kernel[0].numel(),), eps=1e-10)
        return F.conv2d(x, flat.view_as(kernel), None, self.stride, self.padding)


class Unit(nn.Module):
    """1 x 1, 3 x 3 and 1 x 1 convolutions beside a short cut; the short cut alone at the start."""

    def __init__(self, before: int, inner: int, stride: int) -> None:
        super().__init__()
        after = 4 * inner
        self.convolve = nn.Sequential(
            StandardizedConv2d(before, inner, 1),
            _norm(inner),
            nn.ReLU(),
            StandardizedConv2d(inner, inner, 3, stride),
            _norm(inner),
            nn.ReLU(),
            StandardizedConv2d(inner, after, 1),
            _norm(after, 0.0),
        )
        self.project: nn.Module = nn.Identity()
        if before != after or stride != 1:
            self.project = nn.Sequential(StandardizedConv2d(before, after, 1, stride), _norm(after))

    def forward(self, x: Tensor) -> Tensor:
        """One unit."""
        return torch.relu(self.project(x) + self.convolve(x))


class StandardizedResNet(nn.Module):
    """A 7 x 7 convolution and a pooling, then four stages of units."""

    def __init__(
        self, inputs: int = 3, channels: int = 64, units: tuple[int, int, int, int] = (2, 2, 2, 2)
    ) -> None:
        """Make the network; with two units in each stage it has 26 layers.

        Args:
            inputs: Channels of the image.
            channels: Channels within the first stage's units, an even number; each stage doubles
                them.
            units: Of each stage.
        """
        super().__init__()
        self.root = nn.Sequential(
            StandardizedConv2d(inputs, channels, 7, 2),
            _norm(channels),
            nn.ReLU(),
            nn.MaxPool2d(3, 2, 1),
        )
        self.stages = nn.ModuleList()
        before = channels
        for number, count in enumerate(units):
            inner = channels * 2**number
            stage = nn.Sequential()
            for place in range(count):
                stage.append(Unit(before, inner, 2 if number and not place else 1))
                before = 4 * inner
            self.stages.append(stage)
        self.channels = before
        """Channels of the feature map."""
        self.film_channels = tuple(4 * channels * 2**number for number in (1, 2, 3))
        """Channels of every stage but the first, in the order in which `features` takes `film`."""

    def features(
        self, images: Float[Tensor, "n c h w"], film: Sequence[Film] | None = None
    ) -> Float[Tensor, "n e y x"]:
        """The feature map, a 32nd of the image's height and width, rounded up.

        Args:
            images: Pixels from -1 to 1.
            film: For every stage but the first, what changes its answer.
        """
        x: Tensor = self.stages[0](self.root(images))
        for number, stage in enumerate(self.stages[1:]):
            x = stage(x)
            if film is not None:
                x = film[number](x)
        return x


def _norm(channels: int, scale: float = 1.0) -> nn.GroupNorm:
    # 32 groups as published, fewer in a narrow network: a group has two channels at least.
    norm = nn.GroupNorm(math.gcd(32, channels // 2), channels, eps=1e-6)
    nn.init.constant_(norm.weight, scale)
    return norm
