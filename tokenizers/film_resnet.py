"""Turn an image into the places of a ResNet's feature map; the instruction modulates its layers.

Source: CrossFormer (rail-berkeley/crossformer, vit_encoders.py and tokenizers.py): ResNet-26, FiLM
after every stage but the first, the goal image stacked upon the camera's; Perez et al., "FiLM",
2018. CrossFormer's starts from ImageNet's weights and reads sentences by the frozen Universal
Sentence Encoder; neither is here: `language` says what reads instead.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, cast

import torch
from torch import Tensor, nn

from octoverse.text import InstructionEncoder, Language
from octoverse.tokenizer import StreamBatch
from octoverse.tokens import Role, TokenGroup, in_frames
from octoverse.vision.pixels import centred, check_size
from octoverse.vision.resnet import Film, ResNet, modulated
from octoverse.vision.standardized_resnet import StandardizedResNet

_BOTTLENECKS = {26: (2, 2, 2, 2), 50: (3, 4, 6, 3)}
_BASIC = (18, 34)


@dataclass(frozen=True, kw_only=True)
class FilmResNetTokenizerConfig:
    """Settings of FilmResNetTokenizer."""

    height: int
    """Height of the preprocessed image."""
    width: int
    """Width of the preprocessed image."""
    depth: int = 26
    """Layers. 26 and 50: standardised bottleneck units, modulated after every stage but the first,
    as CrossFormer's. 18 and 34: basic blocks with GroupNorm, every one modulated."""
    channels: int = 64
    """Channels of the first stage; each stage doubles them."""
    goal: bool = False
    """Whether a goal image is stacked upon the image; where there is none, it is black."""
    language: Language | None = "bytes"
    """How the instruction is read that modulates; None: no instruction."""
    words: int = 512
    """Numbers that the instruction becomes."""

    role: ClassVar[Role] = "observation"

    def __post_init__(self) -> None:
        if self.depth not in (*_BOTTLENECKS, *_BASIC):
            raise ValueError(f"depth must be 18, 26, 34 or 50, got {self.depth}.")
        if min(self.height, self.width, self.words) < 1:
            raise ValueError(
                "height, width and words must be at least 1, got "
                f"{self.height}, {self.width} and {self.words}."
            )
        least = 16 if self.depth in _BASIC else 2
        if self.channels < least or self.channels % least:
            raise ValueError(
                f"channels must be a multiple of {least} for depth {self.depth}, got "
                f"{self.channels}."
            )

    @property
    def inputs(self) -> tuple[str, ...]:
        """The image, and what it is read with."""
        goal = ("goal",) if self.goal else ()
        return ("image", *goal, *(("instruction",) if self.language else ()))

    @property
    def tokens(self) -> int:
        """Places of the feature map; each stands for 32 x 32 pixels."""
        return -(-self.height // 32) * -(-self.width // 32)

    def build(self, width: int) -> "FilmResNetTokenizer":
        """Make the tokenizer."""
        return FilmResNetTokenizer(self, width)


class FilmResNetTokenizer(nn.Module):
    """A ResNet whose channels the instruction scales and shifts, then a linear map."""

    def __init__(self, config: FilmResNetTokenizerConfig, width: int) -> None:
        super().__init__()
        self.config = config
        self.resnet, places = _backbone(config)
        self.films = nn.ModuleList()
        if config.language:
            self.encode = InstructionEncoder(config.language, config.words)
            self.films.extend(nn.Linear(config.words, 2 * channels) for channels in places)
        for film in self.films:  # at the start the instruction changes nothing
            nn.init.zeros_(cast(nn.Linear, film).weight)
            nn.init.zeros_(cast(nn.Linear, film).bias)
        self.write = nn.Linear(self.resnet.channels, width)

    def forward(self, streams: Mapping[str, StreamBatch]) -> TokenGroup:
        """Read "image" and, by the config, "goal", uint8 (b, t, h, w, 3), and "instruction"."""
        image = streams["image"]
        check_size(image.values, self.config.height, self.config.width)
        pixels = image.values
        if self.config.goal:
            goal = streams["goal"]
            check_size(goal.values, self.config.height, self.config.width)
            pixels = torch.cat([pixels, goal.values * goal.valid[..., None, None, None]], -1)
        film = self._film(streams["instruction"], pixels.shape[1]) if self.films else None
        maps = self.resnet.features(centred(pixels), film)
        return in_frames(self.write(maps.flatten(2).transpose(1, 2)), image.valid)

    def _film(self, instruction: StreamBatch, steps: int) -> list[Film]:
        """What the words of every sample do to its images; no words do nothing of their own."""
        words = self.encode(instruction.values)
        words = torch.where(instruction.valid[:, -1:], words, 0)
        changes: list[Tensor] = [film(words).repeat_interleave(steps, 0) for film in self.films]
        return [modulated(*change.chunk(2, -1)) for change in changes]


def _backbone(
    config: FilmResNetTokenizerConfig,
) -> tuple[ResNet | StandardizedResNet, Sequence[int]]:
    """The network, and the channels at every place that can be modulated."""
    inputs = 6 if config.goal else 3
    if config.depth in _BOTTLENECKS:
        units = StandardizedResNet(inputs, config.channels, _BOTTLENECKS[config.depth])
        return units, units.film_channels
    depth = cast(Literal[18, 34], config.depth)
    blocks = ResNet(depth, norm="group", channels=config.channels, inputs=inputs)
    return blocks, blocks.block_channels
