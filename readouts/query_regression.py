"""Ask the trunk's outputs for one chunk per driving command, and give the commanded one.

Source: Jiang et al., "VAD", 2023, section 3.3 (hustvl/VAD, VAD_head.py): a learned ego query reads
the scene twice, what it read gives a trajectory for each command, and the absolute error is taken
of the commanded one alone. Not so here: the query reads the trunk's outputs, not agents and map
elements; a chunk's numbers are its codec's, not differences of positions; and one chunk more is
kept for when no command is given.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from octoverse.errors import SpecMismatch
from octoverse.readout import (
    Context,
    Loss,
    Reads,
    Sample,
    TrunkShape,
    blank,
    held,
    masked_mean,
    only_valid,
)
from octoverse.readouts.query_layer import QueryLayer
from octoverse.tokens import TokenGroup


@dataclass(frozen=True, kw_only=True)
class QueryRegressionConfig:
    """Settings of QueryRegression."""

    codec: str = "scaled"
    """Between the body's units and the numbers that are regressed."""
    commands: int = 0
    """How many commands there are; 0 for a body that is not given any."""
    command: str = "command"
    """Name of the stream that says which command is given."""
    layers: int = 2
    """Times that the query reads the outputs."""

    token_count: ClassVar[int] = 0
    causal: ClassVar[bool] = False
    reads: ClassVar[Reads] = "outputs"

    def __post_init__(self) -> None:
        if self.commands < 0 or self.layers < 1:
            raise ValueError(
                "commands must be at least 0 and layers at least 1, got "
                f"{self.commands} and {self.layers}."
            )

    def build(self, trunk: TrunkShape, horizon: int, size: int) -> "QueryRegression":
        """Make the readout."""
        return QueryRegression(self, trunk, horizon, size)


class QueryRegression(nn.Module):
    """One learned query, a few layers, and a chunk for each command and for none."""

    def __init__(
        self, config: QueryRegressionConfig, trunk: TrunkShape, horizon: int, size: int
    ) -> None:
        super().__init__()
        self.config, self.width = config, trunk.width
        self.shape = (config.commands + 1, horizon, size)
        self.query = nn.Parameter(torch.randn(1, 1, trunk.width) * 0.02)
        self.layers = nn.ModuleList(
            QueryLayer(trunk.width, trunk.heads) for _ in range(config.layers)
        )
        hidden = config.layers * trunk.width
        self.answer = nn.Sequential(
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, math.prod(self.shape)),
        )

    def tokens(self, batch: int, target: Tensor | None) -> TokenGroup:
        """None: it reads what the trunk made of the observation."""
        return blank(self.query, batch, 0, self.width)

    def loss(self, context: Context, target: Tensor, valid: Tensor) -> Loss:
        """Mean absolute error of the commanded chunk over valid numbers."""
        error = self._predict(context) - torch.where(valid, target, 0)
        return masked_mean(error.abs(), valid)

    def sample(
        self,
        context: Context,
        *,
        noise: Tensor,
        samples: int = 1,
        prefix: Tensor | None = None,
        valid: Tensor | None = None,
    ) -> Sample:
        """The commanded chunk, `samples` times."""
        actions = self._predict(context)[:, None].expand(-1, samples, -1, -1)
        return Sample(only_valid(held(actions, prefix), valid))

    def _predict(self, context: Context) -> Float[Tensor, "b h a"]:
        queries = [self.query.expand(len(context.seeds), -1, -1)]
        for layer in self.layers:
            queries.append(layer(queries[-1], context.outputs, context.visible))
        read = torch.cat(queries[1:], -1)[:, 0]  # what it read first and last, as VAD joins them
        chunks = self.answer(read).float().unflatten(-1, self.shape)
        return chunks.take_along_dim(self._mode(context)[:, None, None, None], 1)[:, 0]

    def _mode(self, context: Context) -> Int[Tensor, " b"]:
        """Which chunk is commanded; the last where no command is given."""
        config, streams = self.config, context.reference.streams
        if not config.commands:
            return torch.zeros_like(context.seeds)
        if config.command not in streams:
            raise SpecMismatch(
                f"a query with {config.commands} commands needs the stream '{config.command}', "
                f"got {', '.join(sorted(streams)) or 'none'}. Name the body's command so, or set "
                "commands = 0."
            )
        given = streams[config.command].long()
        if bool((given >= config.commands).any()):
            raise SpecMismatch(
                f"'{config.command}': expected an index from 0 to {config.commands - 1}, or -1 "
                f"for none, got {int(given.max())}."
            )
        return torch.where(given < 0, config.commands, given)
