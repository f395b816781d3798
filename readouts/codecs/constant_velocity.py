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
        rows = actions.shape[-2]
        return (actions - straight_on(rows, reference)) / _unit(rows, reference)

    def decode(self, code: Tensor, reference: Reference) -> Tensor:
        """To metres and radians."""
        rows = code.shape[-2]
        return code * _unit(rows, reference) + straight_on(rows, reference)


def straight_on(horizon: int, reference: Reference) -> Float[Tensor, "b h 3"]:
    """Waypoints of driving straight on at the present speed.

    Raises:
        SpecMismatch: if the body has no State stream named "speed".
    """
    if "speed" not in reference.streams:
        raise SpecMismatch(
            "a code relative to constant velocity needs a State stream named 'speed', got "
            f"{sorted(reference.streams)}. Name the speed so, or choose the codec 'scaled'."
        )
    speed = reference.streams["speed"][:, :1]  # (b, 1)
    x = speed * _time(horizon, reference)
    return torch.stack([x, torch.zeros_like(x), torch.zeros_like(x)], -1)


def speeding_up(horizon: int, reference: Reference) -> Float[Tensor, " h"]:
    """Metres that become 1 in each row: what ACCELERATION does by then, and 5 cm."""
    return 0.05 + 0.5 * ACCELERATION * _time(horizon, reference) ** 2


def _unit(horizon: int, reference: Reference) -> Float[Tensor, "h 3"]:
    along = speeding_up(horizon, reference)
    return torch.stack([along, along, 0.02 + YAW_RATE * _time(horizon, reference)], -1)


def _time(horizon: int, reference: Reference) -> Float[Tensor, " h"]:
    """When each row is reached [s]."""
    device = reference.streams["speed"].device
    return torch.arange(1, horizon + 1, device=device) / reference.hz
