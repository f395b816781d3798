"""Choose among typical chunks and say how the true one departs from the chosen.

Source: Chai et al., "MultiPath", 2019: the anchor nearest to what happened is the class to be
found (cross-entropy), and only its departures are judged. Here by their absolute values, not by a
normal distribution, and each anchor is scored by the same network, which is told the anchor.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from octoverse.readout import Context, Loss, Reads, Sample, TrunkShape, blank, masked_mean
from octoverse.readouts.anchor_set import AnchorSet, likeliest
from octoverse.tokens import TokenGroup


@dataclass(frozen=True, kw_only=True)
class AnchorsConfig:
    """Settings of Anchors."""

    codec: str = "scaled"
    """Between the body's units and the numbers in which anchors are found and refined."""
    token_count: int = 1
    """Readout tokens whose outputs are read together."""
    anchors: int = 20
    """How many typical chunks k."""
    hidden: int = 256
    """Width of the layers between."""
    refinement: float = 1.0
    """Weight of the departures beside the choice."""

    causal: ClassVar[bool] = False
    reads: ClassVar[Reads] = "own"

    def __post_init__(self) -> None:
        if self.anchors < 1 or not self.refinement > 0:
            raise ValueError(
                "anchors must be at least 1 and refinement above 0, got "
                f"{self.anchors} and {self.refinement}."
            )

    def build(self, trunk: TrunkShape, horizon: int, size: int) -> "Anchors":
        """Make the readout."""
        return Anchors(self, trunk, horizon, size)


class Anchors(nn.Module):
    """Gives every anchor a score and its departures, from its own outputs and the anchor."""

    def __init__(self, config: AnchorsConfig, trunk: TrunkShape, horizon: int, size: int) -> None:
        super().__init__()
        self.config, self.shape, hidden = config, (horizon, size), config.hidden
        self.token_shape = (config.token_count, trunk.width)
        self.anchors = AnchorSet(config.anchors, horizon, size)
        self.read = nn.Linear(config.token_count * trunk.width, hidden)
        self.place = nn.Linear(horizon * size, hidden)
        self.answer = nn.Sequential(
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, 1 + horizon * size),
        )

    def fit(self, codes: Tensor, valid: Tensor) -> None:
        """Learn the anchors from codes (n, h, a) of training chunks, before the first step."""
        self.anchors.fit(codes, valid)

    def tokens(self, batch: int, target: Tensor | None) -> TokenGroup:
        """Places for its answers; nothing is put into them."""
        return blank(self.read.weight, batch, *self.token_shape)

    def loss(self, context: Context, target: Tensor, valid: Tensor) -> Loss:
        """Cross-entropy of the nearest anchor, and the mean error of its departures."""
        logits, chunks = self._predict(context)
        winner = self.anchors.nearest(target, valid)
        missed = F.cross_entropy(logits, winner, reduction="none")
        chosen = chunks[torch.arange(len(winner), device=winner.device), winner]
        error = masked_mean((chosen - torch.where(valid, target, 0)).abs(), valid)
        choice = masked_mean(missed, valid.flatten(1).any(1))
        return Loss(choice.total + self.config.refinement * error.total, error.count)

    def sample(
        self,
        context: Context,
        *,
        noise: Tensor,
        samples: int = 1,
        prefix: Tensor | None = None,
        valid: Tensor | None = None,
    ) -> Sample:
        """The likeliest anchors as refined, best first, scored by their log-probabilities.

        Nothing is drawn: `noise` decides nothing.
        """
        logits, chunks = self._predict(context)
        return likeliest(chunks, logits.log_softmax(-1), samples, prefix, valid)

    def _predict(self, context: Context) -> tuple[Tensor, Tensor]:
        """Score (b, k) and refined chunk (b, k, h, a) of every anchor."""
        anchors = self.anchors.get()
        seen = self.read(context.own[:, -1].flatten(1))[:, None]
        found = self.answer(seen + self.place(anchors.flatten(1))).float()  # (b, k, 1 + h a)
        return found[..., 0], anchors + found[..., 1:].unflatten(-1, self.shape)
