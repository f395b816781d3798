"""Read an action chunk off the trunk as one of 256 bins per number, all numbers at once.

Source: Brohan et al., "RT-1", 2022, section 5.1 (256 uniform bins); Octo Model Team, "Octo", 2024,
which predicts all bins of a chunk in parallel.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from octoverse.readout import (
    Context,
    Loss,
    Reads,
    Sample,
    TrunkShape,
    held,
    masked_mean,
    only_valid,
    queries,
)
from octoverse.readouts.codecs.bins import BINS
from octoverse.tokens import TokenGroup


@dataclass(frozen=True, kw_only=True)
class BinsConfig:
    """Settings of Bins."""

    codec: str = "bins"
    """Between the body's units and the number of a bin."""
    bins: int = BINS
    """How many; as many as the codec makes."""
    token_count: int = 1
    """Readout tokens whose outputs are read together."""
    hidden: int = 64
    """Width from which each number's bins are told."""

    causal: ClassVar[bool] = False
    reads: ClassVar[Reads] = "own"

    def __post_init__(self) -> None:
        if self.codec == "bins" and self.bins != BINS:
            raise ValueError(f"the codec 'bins' makes {BINS} bins, got bins = {self.bins}.")

    def build(self, trunk: TrunkShape, horizon: int, size: int) -> "Bins":
        """Make the readout."""
        return Bins(self, trunk.width, horizon, size)


class Bins(nn.Module):
    """A vector for every number of the chunk, then a linear map to its bins."""

    def __init__(self, config: BinsConfig, width: int, horizon: int, size: int) -> None:
        super().__init__()
        self.shape = (horizon, size, config.hidden)
        self.query = nn.Parameter(torch.randn(1, 1, config.token_count, width) * 0.02)
        self.spread = nn.Linear(config.token_count * width, horizon * size * config.hidden)
        self.classify = nn.Linear(config.hidden, config.bins)

    def tokens(self, batch: int, target: Tensor | None) -> TokenGroup:
        """Learned queries, the same for every sample."""
        return queries(self.query, batch)

    def loss(self, context: Context, target: Tensor, valid: Tensor) -> Loss:
        """Mean cross-entropy over valid numbers; `target` holds bin numbers."""
        logits = self._logits(context)  # (b, h, a, bins)
        loss = F.cross_entropy(logits.flatten(0, 2), target.flatten(), reduction="none")
        return masked_mean(loss.reshape(target.shape), valid)

    def sample(
        self,
        context: Context,
        *,
        noise: Tensor,
        samples: int = 1,
        prefix: Tensor | None = None,
        valid: Tensor | None = None,
    ) -> Sample:
        """The likeliest bins; with several samples, drawn by their probabilities."""
        logits = self._logits(context)[:, None]  # (b, 1, h, a, bins)
        if samples == 1:
            chosen = logits.argmax(-1)
        else:
            below = 0.5 * (1 + torch.erf(noise / 2**0.5))  # (b, k, h, a), uniform in (0, 1)
            edges = logits.softmax(-1).cumsum(-1)
            chosen = (edges < below[..., None]).sum(-1).clamp(max=logits.shape[-1] - 1)
        chosen = held(chosen, prefix)
        likely = logits.log_softmax(-1).expand(*chosen.shape, -1)
        scores = only_valid(likely.gather(-1, chosen[..., None])[..., 0], valid).sum((-1, -2))
        return Sample(only_valid(chosen, valid), scores)

    def _logits(self, context: Context) -> Tensor:
        spread = self.spread(context.own[:, -1].flatten(1)).unflatten(-1, self.shape)
        return self.classify(torch.relu(spread)).float()
