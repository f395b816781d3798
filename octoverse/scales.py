"""The statistics of one body as a module, so that they move with the policy to its device.

Where data sets are kept apart, every sample is scaled by those of its own.
"""

import numpy as np
import torch
from torch import Tensor, nn

from octoverse.embodiment import Embodiment, State
from octoverse.errors import BadConfig
from octoverse.normalize import BodyStatistics


class Scales(nn.Module):
    """Buffers named stream·offset, stream·scale, group·mean, ...; statistics.json holds them.

    Each is (n,), or (k, n) where k data sets are kept apart.
    """

    def __init__(self, body: Embodiment, statistics: BodyStatistics) -> None:
        super().__init__()
        self._apart = list(statistics.apart.values())
        every = self._apart or [statistics]
        for stream, spec in body.observation.items():
            if isinstance(spec, State):
                pairs = [_state(one, stream, len(spec.names)) for one in every]
                self._keep(stream, offset=[p[0] for p in pairs], scale=[p[1] for p in pairs])
        for group in body.action:
            for one in every:
                if group not in one.action:
                    raise BadConfig(
                        f"the statistics of '{body.name}' lack the action group '{group}'. "
                        f"They have: {', '.join(sorted(one.action)) or 'none'}."
                    )
            normal = [one.action[group].scale("normal") for one in every]
            self._keep(group, mean=[p[0] for p in normal], std=[p[1] for p in normal])
            quantile = [one.action[group].scale("quantile") for one in every]
            self._keep(group, middle=[p[0] for p in quantile], half=[p[1] for p in quantile])

    def of(self, name: str, part: str, which: Tensor | None) -> Tensor:
        """One buffer as samples need it.

        Args:
            name: A stream or an action group.
            part: Such as offset or mean.
            which: int64 (b,), which data set's each sample is scaled by; None where there are no
                several.

        Returns:
            (n,), or (b, 1, n) where data sets are kept apart.
        """
        found = self.get_buffer(f"{name}·{part}")
        if not self._apart:
            return found
        if which is None:
            names = ", ".join(one.of for one in self._apart)
            raise BadConfig(
                f"The policy scales each data set by its own statistics ({names}), and it is not "
                "said whose are in force. Name one: octoverse serve CHECKPOINT --statistics NAME, "
                "or octoverse export CHECKPOINT FOLDER --statistics NAME."
            )
        return found[which][:, None]

    def _keep(self, name: str, **parts: list[np.ndarray]) -> None:
        for part, arrays in parts.items():
            value = torch.tensor(np.stack(arrays), dtype=torch.float32)
            kept = value if self._apart else value[0]
            self.register_buffer(f"{name}·{part}", kept, persistent=False)


def _state(statistics: BodyStatistics, stream: str, size: int) -> tuple[np.ndarray, np.ndarray]:
    found = statistics.observation.get(stream)
    return found.scale("normal") if found else (np.zeros(size), np.ones(size))
