"""Let readouts learn of the actions before training begins: anchors, from chunks of the data.

Which chunks is decided by the run's seed alone, apart from what training draws.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from octoverse.batch import training_batch
from octoverse.data.cutting import cut_all
from octoverse.data.weighted import Weighted
from octoverse.data.windows import StackedWindows, WindowSpec
from octoverse.errors import BadData
from octoverse.policy import Policy
from octoverse.readout import Fitted

CHUNKS = 4096
"""How many a readout learns from, all its bodies together."""
_PURPOSE = 77
"""Tells these draws from others of the same seed."""


def fit_readouts(
    policy: Policy,
    sources: Sequence[Weighted],
    places: Mapping[str, Sequence[int] | None],
    *,
    seed: int,
    skip_bad: bool = False,
) -> None:
    """Give every readout that has a `fit` codes of chunks; one that a checkpoint filled keeps them.

    Args:
        policy: With its readouts.
        sources: The training data; they are drawn by their weights.
        places: For each body, which of its statistics are each source's own; None where all
            sources share them.
        seed: Decides which chunks.
        skip_bad: Leave out episodes that cannot be read.

    Raises:
        BadData: if an episode cannot be read, or there is nothing to learn from.
    """
    for key in policy.config.readouts:
        readout = policy.readout(key)
        if not isinstance(readout, Fitted) or _is_fitted(cast(nn.Module, readout)):
            continue
        bodies = [
            name
            for name, body in policy.config.bodies.items()
            if any(use.key == key for use in body.readouts)
        ]
        entries = [one for one in sources if one.source.embodiment in bodies]
        shares = np.array([one.weight for one in entries]) / sum(one.weight for one in entries)
        rng = np.random.default_rng((seed, _PURPOSE))
        codes: list[Tensor] = []
        valid: list[Tensor] = []
        for entry, share in zip(entries, shares, strict=True):
            name, which = entry.source.embodiment, sources.index(entry)
            for stacked in _chunks(policy, entry, max(1, round(share * CHUNKS)), rng, skip_bad):
                stacked = replace(stacked, source=np.full(len(stacked), which))
                batch = training_batch(policy.bodies[name], stacked, policy.device, places[name])
                code, real = policy.codes(name, batch)[key]
                codes.append(code.float().cpu())
                valid.append(real.cpu())
        readout.fit(torch.cat(codes), torch.cat(valid))


def _chunks(
    policy: Policy, entry: Weighted, count: int, rng: np.random.Generator, skip_bad: bool
) -> Iterator[StackedWindows]:
    """Chunks of one source at random, without the pictures; those of an episode together."""
    name, source = entry.source.embodiment, entry.source
    spec = WindowSpec(
        horizon=policy.config.bodies[name].horizon, streams=tuple(policy.reference_streams(name))
    )
    ends = np.cumsum(source.lengths())
    chosen = np.sort(rng.choice(ends[-1], min(count, int(ends[-1])), replace=False))
    episodes = np.searchsorted(ends, chosen, side="right")
    for episode in np.unique(episodes):
        first = ends[episode - 1] if episode else 0
        steps = (chosen[episodes == episode] - first).tolist()
        try:
            opened = source.episode(int(episode))
            windows = cut_all(opened, steps, policy.bodies[name], spec, policy.preprocess)
        except BadData:
            if not skip_bad:
                raise
        else:
            yield StackedWindows.from_windows(windows)


def _is_fitted(readout: nn.Module) -> bool:
    """Whether a checkpoint has brought what it learned: a buffer called `fitted` says so."""
    return any(
        name.rpartition(".")[2] == "fitted" and bool(value)
        for name, value in readout.named_buffers()
    )
