"""Turn a goal image into tokens of its own, which stand once at the front of the sequence.

Source: Octo Model Team, "Octo", 2024, section III-A: a goal image is tokenised as a task is, with
the stem of the cameras. Where it is to be compared pixel by pixel with what a camera sees, stack
the two instead (octo_stem, film_resnet).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import nn

from octoverse.tokenizer import StreamBatch
from octoverse.tokens import Role, TokenGroup
from octoverse.vision.patches import ConvolutionalPatches, LinearPatches, check_patches
from octoverse.vision.pixels import check_size


@dataclass(frozen=True, kw_only=True)
class GoalImageTokenizerConfig:
    """Settings of GoalImageTokenizer."""

    height: int
    """Height of the preprocessed image."""
    width: int
    """Width of the preprocessed image."""
    patch: int = 16
    """Side of the square that becomes one token."""
    stem: Literal["convolutions", "linear"] = "convolutions"
    """What makes a vector of a patch."""

    inputs: ClassVar[tuple[str, ...]] = ("goal",)
    role: ClassVar[Role] = "task"

    def __post_init__(self) -> None:
        check_patches(self.height, self.width, self.patch)
        if self.stem == "convolutions" and (self.patch < 2 or self.patch & (self.patch - 1)):
            raise ValueError(
                f"patch must be a power of 2 and at least 2 for convolutions, got {self.patch}."
            )

    @property
    def tokens(self) -> int:
        """Patches in one image."""
        return (self.height // self.patch) * (self.width // self.patch)

    def build(self, width: int) -> "GoalImageTokenizer":
        """Make the tokenizer."""
        return GoalImageTokenizer(self, width)


class GoalImageTokenizer(nn.Module):
    """Patches of the newest frame's goal."""

    def __init__(self, config: GoalImageTokenizerConfig, width: int) -> None:
        super().__init__()
        self.size = config.height, config.width
        linear = config.stem == "linear"
        self.patches: nn.Module = (
            LinearPatches(config.patch, width)
            if linear
            else ConvolutionalPatches(config.patch, width)
        )

    def forward(self, streams: Mapping[str, StreamBatch]) -> TokenGroup:
        """Read "goal", uint8 (b, t, h, w, 3); without a goal the tokens are invalid."""
        goal = streams["goal"]
        check_size(goal.values, *self.size)
        values = self.patches(goal.values[:, -1:])[:, None]  # (b, 1, n, d)
        return TokenGroup(values, goal.valid[:, -1:, None].expand(values.shape[:3]))
