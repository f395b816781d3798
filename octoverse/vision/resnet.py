"""ResNets that give a feature map: the backbone of several image tokenizers.

Source: He et al., "Deep residual learning", 2016, table 1; torchvision, models/resnet.py (names of
parameters, so that its trained weights load); Chi et al., "Diffusion Policy", 2023, section III-B
(GroupNorm for BatchNorm).
"""

from collections.abc import Callable, Sequence
from typing import Literal, cast

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from octoverse.vision.frozen_norm import FrozenBatchNorm

Depth = Literal[18, 26, 34]
Norm = Literal["frozen_batch", "group"]
Film = Callable[[Tensor], Tensor]
"""What changes the answer of one block, (b, c, h, w) to the same."""

BLOCKS: dict[Depth, tuple[int, int, int, int]] = {
    18: (2, 2, 2, 2),
    26: (3, 3, 3, 3),
    34: (3, 4, 6, 3),
}
"""Blocks of two convolutions in each of the four stages."""
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's red, green and blue in [0, 1]: how trained weights want to be shown an image."""


def normalised(images: UInt8[Tensor, "b h w 3"]) -> Float[Tensor, "b 3 h w"]:
    """Images as trained weights want them, in the memory format (channels last) they came in."""
    mean, std = (torch.tensor(found, device=images.device) * 255 for found in (MEAN, STD))
    return ((images.float() - mean) / std).permute(0, 3, 1, 2)


class ResNet(nn.Module):
    """18, 26 or 34 layers of 3 x 3 convolutions, without the classifier."""

    def __init__(
        self,
        depth: Depth = 18,
        *,
        norm: Norm = "frozen_batch",
        channels: int = 64,
        inputs: int = 3,
    ) -> None:
        """Make the network with random weights.

        Args:
            depth: Layers with weights, counted with the classifier.
            norm: "frozen_batch" scales channels by numbers that never change: for trained weights.
                "group" normalises groups of 16 channels of each image: learns from nothing.
            channels: Channels of the first stage, a multiple of 16; each stage doubles them.
            inputs: Channels of an image: 6 where a goal image is stacked upon it.
        """
        super().__init__()
        if channels < 16 or channels % 16:
            raise ValueError(f"channels must be a multiple of 16 and at least 16, got {channels}.")
        self.conv1 = nn.Conv2d(inputs, channels, 7, 2, 3, bias=False)
        self.bn1 = _norm(norm, channels)
        self.pool = nn.MaxPool2d(3, 2, 1)
        before, stages = channels, []
        for number, count in enumerate(BLOCKS[depth]):
            after = channels * 2**number
            first = BasicBlock(before, after, norm, stride=1 if number == 0 else 2)
            rest = [BasicBlock(after, after, norm) for _ in range(count - 1)]
            stages.append(nn.Sequential(first, *rest))
            before = after
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.channels = before
        """Channels c of the feature map."""
        self.block_channels = tuple(block.channels for block in self._blocks())
        """Channels of every block's answer, in the order in which `features` takes `film`."""
        self.register_load_state_dict_pre_hook(_drop_classifier)
        self._start(norm)

    def features(
        self, images: Float[Tensor, "b inputs h w"], film: Sequence[Film] | None = None
    ) -> Float[Tensor, "b c h2 w2"]:
        """The feature map, a 32nd of the image's height and width, rounded up.

        Args:
            images: As `normalised` gives them.
            film: For every block, what changes its answer before the skip is added.
        """
        if film is not None and len(film) != len(self.block_channels):
            raise ValueError(
                f"film must hold one for each of {len(self.block_channels)} blocks, got "
                f"{len(film)}."
            )
        # Measured on a CPU: the faster by up to a fifth; 8 % the slower where GroupNorm trains in
        # float32.
        x = images.contiguous(memory_format=torch.channels_last)
        x = self.pool(_convolve(self.conv1, self.bn1, x, relu=True))
        for number, block in enumerate(self._blocks()):
            x = block(x, None if film is None else film[number])
        return x

    def forward(self, images: Float[Tensor, "b inputs h w"]) -> Float[Tensor, "b c h2 w2"]:
        """The same as `features`."""
        return self.features(images)

    def _blocks(self) -> list["BasicBlock"]:
        stages = (self.layer1, self.layer2, self.layer3, self.layer4)
        return [cast(BasicBlock, block) for stage in stages for block in stage]

    def _start(self, norm: Norm) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        if norm == "frozen_batch":
            # Nothing normalises until trained weights are loaded: keep the sum of blocks small.
            for block in self._blocks():
                with torch.no_grad():
                    block.conv2.weight *= len(self.block_channels) ** -0.5


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions beside a skip."""

    def __init__(self, before: int, after: int, norm: Norm, stride: int = 1) -> None:
        super().__init__()
        self.channels = after
        self.conv1 = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.bn1 = _norm(norm, after)
        self.conv2 = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.bn2 = _norm(norm, after)
        self.downsample: nn.Sequential | None = None
        if stride != 1 or before != after:
            self.downsample = nn.Sequential(
                nn.Conv2d(before, after, 1, stride, bias=False), _norm(norm, after)
            )

    def forward(self, x: Tensor, film: Film | None = None) -> Tensor:
        """Read (b, before, h, w), answer (b, after, h / stride, w / stride)."""
        answer = _convolve(self.conv1, self.bn1, x, relu=True)
        answer = _convolve(self.conv2, self.bn2, answer)
        if film is not None:
            answer = film(answer)
        if self.downsample is not None:
            x = _convolve(cast(nn.Conv2d, self.downsample[0]), self.downsample[1], x)
        return (answer + x).relu_()


def modulated(scale: Float[Tensor, "b c"], shift: Float[Tensor, "b c"]) -> Film:
    """A film that multiplies channels by 1 + `scale` and adds `shift` (Perez et al., 2018)."""
    return lambda x: x * (1 + scale[:, :, None, None]) + shift[:, :, None, None]


def _norm(kind: Norm, channels: int) -> nn.Module:
    if kind == "frozen_batch":
        return FrozenBatchNorm(channels)
    return nn.GroupNorm(channels // 16, channels)


def _convolve(convolution: nn.Conv2d, norm: nn.Module, x: Tensor, *, relu: bool = False) -> Tensor:
    if isinstance(norm, FrozenBatchNorm):
        return norm.after(convolution, x, relu=relu)
    found: Tensor = norm(convolution(x))
    return found.relu_() if relu else found


def _drop_classifier(
    module: nn.Module, state: dict[str, Tensor], prefix: str, *others: object
) -> None:
    """Trained weights bring a classifier (fc), which a backbone has no use for."""
    for name in ("weight", "bias"):
        state.pop(f"{prefix}fc.{name}", None)
