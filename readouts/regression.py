"""Read an action chunk off the trunk in one go, judged by the mean absolute or squared error.

Source: Kim, Finn, Liang, "OpenVLA-OFT", 2025, section IV (parallel decoding with L1 regression);
octo-models/octo, octo/model/components/action_heads.py (both losses, answers bounded by tanh);
rail-berkeley/crossformer, crossformer/model/components/action_heads.py (a token for every row).
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from octoverse.errors import BadConfig
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
from octoverse.tokens import TokenGroup


@dataclass(frozen=True, kw_only=True)
class RegressionConfig:
    """Settings of Regression."""

    codec: str = "scaled"
    """Between the body's units and the numbers that are regressed."""
    token_count: int = 1
    """Readout tokens whose outputs are read together."""
    hidden: int = 256
    """Width of the layer between."""
    error: Literal["l1", "mse"] = "l1"
    """What is minimised: the absolute error, whose best answer is the median of what is done, or
    the squared error, whose best answer is the mean."""
    bound: float | None = None
    """Answers stay within this many units of the code, by tanh; Octo's is 5. None: free."""
    row_by_row: bool = False
    """Whether every token makes one row of the chunk by a linear map, as in CrossFormer; there must
    be as many tokens as rows, and `hidden` is not used."""

    causal: ClassVar[bool] = False
    reads: ClassVar[Reads] = "own"

    def __post_init__(self) -> None:
        if self.bound is not None and not self.bound > 0:
            raise ValueError(f"bound must be above 0, or None for free answers, got {self.bound}.")

    def build(self, trunk: TrunkShape, horizon: int, size: int) -> "Regression":
        """Make the readout.

        Raises:
            BadConfig: if a chunk is made row by row, and has not as many rows as there are tokens.
        """
        if self.row_by_row and self.token_count != horizon:
            raise BadConfig(
                f"row_by_row: expected a token for each of the chunk's {horizon} rows, got "
                f"{self.token_count} tokens. Set token_count to {horizon}."
            )
        return Regression(self, trunk.width, horizon, size)


class Regression(nn.Module):
    """Two layers from its own outputs to (horizon, a)."""

    def __init__(self, config: RegressionConfig, width: int, horizon: int, size: int) -> None:
        super().__init__()
        self.config, self.shape = config, (horizon, size)
        self.query = nn.Parameter(torch.randn(1, 1, config.token_count, width) * 0.02)
        hidden = config.hidden
        self.project: nn.Module = (
            nn.Linear(width, size)
            if config.row_by_row
            else nn.Sequential(
                nn.Linear(config.token_count * width, hidden),
                nn.ReLU(),
                nn.Linear(hidden, horizon * size),
            )
        )

    def tokens(self, batch: int, target: Tensor | None) -> TokenGroup:
        """Learned queries, the same for every sample."""
        return queries(self.query, batch)

    def loss(self, context: Context, target: Tensor, valid: Tensor) -> Loss:
        """Mean error over valid numbers."""
        off = torch.where(valid, self._predict(context) - target, 0)
        return masked_mean(off.abs() if self.config.error == "l1" else off.square(), valid)

    def sample(
        self,
        context: Context,
        *,
        noise: Tensor,
        samples: int = 1,
        prefix: Tensor | None = None,
        valid: Tensor | None = None,
    ) -> Sample:
        """The one answer, `samples` times."""
        actions = self._predict(context)[:, None].expand(-1, samples, -1, -1)
        return Sample(only_valid(held(actions, prefix), valid))

    def _predict(self, context: Context) -> Tensor:
        own = context.own[:, -1] if self.config.row_by_row else context.own[:, -1].flatten(1)
        found = self.project(own).float().reshape(len(own), *self.shape)
        bound = self.config.bound
        return found if bound is None else bound * torch.tanh(found / bound)
