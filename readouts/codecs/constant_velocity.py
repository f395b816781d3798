"""Waypoints as their departure from driving straight on at the present speed; exact.

A departure is measured in what an acceleration of 2 m/s² does by then, so that near and far
waypoints weigh alike, and no data set's statistics are needed: cars share the code.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from octoverse.errors import SpecMismatch
from octoverse.readout import Reference

ACCELERATION = 2.0
"""[m/s²] that becomes 1."""
YAW_RATE = 0.25
"""[rad/s] that becomes 1."""


class ConstantVelocityCodec:
    """Code of (x, y, heading) rows; needs a State stream named "speed" [m/s]."""

    def encode(self, actions: Tensor, reference: Reference) -> Tensor:
        """From metres and radians."""
        straight, unit = self._straight(actions.shape[-2], reference)
        return (actions - straight) / unit

    def decode(self, code: Tensor, reference: Reference) -> Tensor:
        """To metres and radians."""
        straight, unit = self._straight(code.shape[-2], reference)
        return code * unit + straight

    def _straight(
        self, horizon: int, reference: Reference
    ) -> tuple[Float[Tensor, "b h 3"], Float[Tensor, "h 3"]]:
        if "speed" not in reference.streams:
            raise SpecMismatch(
                "the codec 'constant_velocity' needs a State stream named 'speed', got "
                f"{sorted(reference.streams)}. Name the speed so, or choose the codec 'scaled'."
            )
        speed = reference.streams["speed"][:, :1]  # (b, 1)
        time = torch.arange(1, horizon + 1, device=speed.device) / reference.hz
        x = speed * time
        along = 0.05 + 0.5 * ACCELERATION * time**2
        straight = torch.stack([x, torch.zeros_like(x), torch.zeros_like(x)], -1)
        return straight, torch.stack([along, along, 0.02 + YAW_RATE * time], -1)
