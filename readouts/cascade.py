"""A cascade of decoder layers that turn noised chunks into clean ones, with a confidence for each.

Source: Liao et al., "DiffusionDrive", 2025 (hustvl/DiffusionDrive, transfuser_model_v2.py): every
layer begins where the one before ended, is told how much noise there is by a scale and a shift,
and answers for itself, so that each can be judged.
"""

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from octoverse.readout import TrunkShape
from octoverse.readouts.query_layer import QueryLayer

_CONFIDENT_AT_FIRST = 0.01
"""How likely every chunk seems before any training."""

Answer = tuple[Tensor, Tensor]
"""Points (b, k, h, a), and how confident it is of each chunk (b, k), a logit."""


class Cascade(nn.Module):
    """Decoder layers over k chunks at once, which do not read each other."""

    def __init__(self, layers: int, trunk: TrunkShape, horizon: int, size: int) -> None:
        super().__init__()
        width = self.width = trunk.width
        self.enter = nn.Sequential(
            nn.Linear(horizon * size, width),
            nn.ReLU(),
            nn.LayerNorm(width),
            nn.Linear(width, width),
            nn.ReLU(),
            nn.LayerNorm(width),
            nn.Linear(width, width),
        )
        self.moment = nn.Sequential(
            nn.Linear(width, 4 * width), nn.Mish(), nn.Linear(4 * width, width)
        )
        self.layers = nn.ModuleList(CascadeLayer(trunk, horizon, size) for _ in range(layers))

    def forward(
        self,
        points: Float[Tensor, "b k h a"],
        time: Int[Tensor, " b"],
        valid: Bool[Tensor, "b 1 h a"],
        outputs: Float[Tensor, "b length d"],
        visible: Bool[Tensor, "b length"],
    ) -> list[Answer]:
        """What each layer says, the last one's being the best.

        Args:
            points: Noised chunks, scaled so that most numbers lie within -1 and 1.
            time: Steps of noise.
            valid: Numbers that exist; no other is read.
            outputs: What there is to read.
            visible: Where it may be read.
        """
        moment = self.moment(sinusoid(time, self.width))[:, None]
        queries, answers = torch.zeros((), device=points.device), list[Answer]()
        for layer in self.layers:
            queries = queries + self.enter(torch.where(valid, points, 0).flatten(2))
            queries, away, confidence = layer(queries, outputs, visible, moment)
            answers.append((points + away, confidence))
            points = (points + away).detach()
        return answers


class CascadeLayer(nn.Module):
    """Reads the outputs, is told how much noise there is, and answers for every chunk."""

    def __init__(self, trunk: TrunkShape, horizon: int, size: int) -> None:
        super().__init__()
        self.shape, width = (horizon, size), trunk.width
        self.read = QueryLayer(width, trunk.heads)
        self.modulate = nn.Sequential(nn.Mish(), nn.Linear(width, 2 * width))
        self.away = nn.Sequential(
            nn.Linear(width, width), nn.ReLU(), nn.Linear(width, horizon * size)
        )
        confident = nn.Linear(width, 1)
        nn.init.constant_(confident.bias, math.log(_CONFIDENT_AT_FIRST / (1 - _CONFIDENT_AT_FIRST)))
        self.confidence = nn.Sequential(
            nn.Linear(width, width), nn.ReLU(), nn.LayerNorm(width), confident
        )

    def forward(
        self, queries: Tensor, outputs: Tensor, visible: Tensor, moment: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """New queries (b, k, d), how far points are off (b, k, h, a), and logits (b, k)."""
        scale, shift = self.modulate(moment).chunk(2, -1)
        queries = self.read(queries, outputs, visible) * (1 + scale) + shift
        away = self.away(queries).float().unflatten(-1, self.shape)
        return queries, away, self.confidence(queries).float()[..., 0]


def sinusoid(time: Int[Tensor, " b"], width: int) -> Float[Tensor, "b d"]:
    """Sines and cosines of a whole number of steps, periods from 2 pi to 10,000 times that."""
    half = width // 2
    rate = 10000 ** (-torch.arange(half, device=time.device) / half)
    angle = time[:, None] * rate
    return torch.cat([angle.sin(), angle.cos()], -1)
