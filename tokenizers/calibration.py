"""Turn where a camera looks and through which lens into one token, for rigs that differ.

Source: the lens and the pose of every camera as conditions of a driving policy, as in Philion and
Fidler, "Lift, Splat, Shoot", 2020, section 3; here as a token that the trunk may read.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from octoverse.calibration import NUMBERS
from octoverse.errors import SpecMismatch
from octoverse.tokenizer import StreamBatch
from octoverse.tokens import Role, TokenGroup


@dataclass(frozen=True, kw_only=True)
class CalibrationTokenizerConfig:
    """Settings of CalibrationTokenizer: none. Give it the stream `<camera>.calibration`."""

    inputs: ClassVar[tuple[str, ...]] = ("calibration",)
    role: ClassVar[Role] = "observation"
    tokens: ClassVar[int] = 1

    def build(self, width: int) -> "CalibrationTokenizer":
        """Make the tokenizer."""
        return CalibrationTokenizer(width)


class CalibrationTokenizer(nn.Module):
    """Two layers over lens, rotation and translation."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.write = nn.Sequential(nn.Linear(NUMBERS, width), nn.ReLU(), nn.Linear(width, width))

    def forward(self, streams: Mapping[str, StreamBatch]) -> TokenGroup:
        """Read "calibration", (b, t, 16); where it is not known, the token is invalid."""
        given = streams["calibration"]
        if given.values.shape[-1] != NUMBERS:
            raise SpecMismatch(
                f"calibration: expected (b, t, {NUMBERS}), got {tuple(given.values.shape)}. Give "
                "this tokenizer a stream named after a camera, such as 'front.calibration'."
            )
        return TokenGroup(self.write(given.values)[:, :, None], given.valid[..., None])
