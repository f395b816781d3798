"""The statistics of one body as a module, so that they move with the policy to its device."""

import numpy as np
import torch
from torch import nn

from octoverse.embodiment import Embodiment, State
from octoverse.errors import BadConfig
from octoverse.normalize import BodyStatistics


class Scales(nn.Module):
    """Buffers named stream·offset, stream·scale, group·mean, ...; statistics.json holds them."""

    def __init__(self, body: Embodiment, statistics: BodyStatistics) -> None:
        super().__init__()
        for stream, spec in body.observation.items():
            if isinstance(spec, State):
                found = statistics.observation.get(stream)
                size = len(spec.names)
                offset, scale = found.scale("normal") if found else (np.zeros(size), np.ones(size))
                self._keep(stream, offset=offset, scale=scale)
        for group in body.action:
            if group not in statistics.action:
                raise BadConfig(
                    f"the statistics of '{body.name}' lack the action group '{group}'. "
                    f"They have: {', '.join(sorted(statistics.action)) or 'none'}."
                )
            mean, std = statistics.action[group].scale("normal")
            middle, half = statistics.action[group].scale("quantile")
            self._keep(group, mean=mean, std=std, middle=middle, half=half)

    def _keep(self, name: str, **arrays: np.ndarray) -> None:
        for part, array in arrays.items():
            value = torch.tensor(np.asarray(array), dtype=torch.float32)
            self.register_buffer(f"{name}·{part}", value, persistent=False)
