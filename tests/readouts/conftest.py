"""A context to give to a readout without any trunk behind it."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from octoverse.readout import Context, Reference, Scale


@pytest.fixture
def context() -> Callable[..., Context]:
    """Makes a context whose own outputs are (b, 1, n, d), drawn by each sample's seed."""

    def make(seeds: list[int], tokens: int = 1, width: int = 16) -> Context:
        drawn = [
            torch.randn(1, tokens, width, generator=torch.Generator().manual_seed(seed))
            for seed in seeds
        ]
        own, one = torch.stack(drawn), torch.ones(1)
        seen = torch.ones(len(seeds), tokens, dtype=torch.bool)
        return Context(
            own=own,
            outputs=own[:, 0],
            visible=seen,
            memory=(),
            reference=Reference({}, Scale(one, one, one, one), 10.0),
            seeds=torch.tensor(seeds),
            continue_trunk=lambda tokens, memory, visible: (tokens, memory),
        )

    return make


@pytest.fixture
def overfit() -> Callable[..., tuple[float, float]]:
    """Trains a readout on one batch and gives its first loss and its last."""

    def run(
        readout: torch.nn.Module, context: Context, target: Tensor, steps: int
    ) -> tuple[float, float]:
        valid = torch.ones_like(target, dtype=torch.bool)
        optimizer = torch.optim.Adam(readout.parameters(), 3e-3)
        losses = []
        for _ in range(steps):
            loss = readout.loss(context, target, valid).total  # type: ignore[operator]
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.detach().item())
        return losses[0], losses[-1]

    return run
