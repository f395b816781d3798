"""Waypoints as their departure from going on along the present course; exact.

The course is where the body moves, which is not quite where it heads: it slips, and headings are
measured with an offset. Along the course a departure is measured in what an acceleration of
2 m/s² does by then; across it and in heading in the standard deviations of the data, since what is
much for a lane is nothing for a crossing.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from octoverse.errors import SpecMismatch
from octoverse.readout import Reference
from octoverse.readouts.codecs.constant_velocity import speeding_up, straight_on

_SLIP = 0.1
"""Largest slip [rad] that is believed; beyond it the poses are noise."""
_WAY = 0.5
"""Metres that a history must be long to tell a course."""


class CourseCodec:
    """Code of (x, y, heading) rows; needs the streams "speed" [m/s] and "ego_history" (poses)."""

    def encode(self, actions: Tensor, reference: Reference) -> Tensor:
        """From metres and radians."""
        rows = actions.shape[-2]
        return (actions - self._ahead(rows, reference)) / self._unit(rows, reference)

    def decode(self, code: Tensor, reference: Reference) -> Tensor:
        """To metres and radians."""
        rows = code.shape[-2]
        return code * self._unit(rows, reference) + self._ahead(rows, reference)

    def _ahead(self, horizon: int, reference: Reference) -> Float[Tensor, "b h 3"]:
        straight = straight_on(horizon, reference)
        x = straight[..., 0]
        across = torch.stack([torch.zeros_like(x), x * slip(reference)[:, None], 0 * x], -1)
        return straight + across

    def _unit(self, horizon: int, reference: Reference) -> Float[Tensor, "*b h 3"]:
        scale = reference.scale.scale
        spread = scale.expand(*scale.shape[:-2], horizon, 3)
        along = speeding_up(horizon, reference).expand(spread.shape[:-1])
        return torch.cat([along[..., None], spread[..., 1:]], -1)


def slip(reference: Reference) -> Float[Tensor, " b"]:
    """Angle from heading to course over the history [rad]; zero where no history tells it."""
    if "ego_history" not in reference.streams:
        raise SpecMismatch(
            "the codec 'course' needs an EgoHistory stream named 'ego_history', got "
            f"{sorted(reference.streams)}. Name it so, or choose the codec 'constant_velocity'."
        )
    poses = reference.streams["ego_history"]  # (b, n, 3)
    moved = poses[:, 1:, :2] - poses[:, :-1, :2]
    # In a steady turn, the chord from pose to pose points where both head on average.
    heading = (poses[:, 1:, 2] + poses[:, :-1, 2]) / 2
    cos, sin = heading.cos(), heading.sin()
    ahead = (cos * moved[..., 0] + sin * moved[..., 1]).sum(1)
    aside = (cos * moved[..., 1] - sin * moved[..., 0]).sum(1)
    told = ahead.abs() > _WAY
    return torch.where(told, aside / torch.where(told, ahead, 1), 0).clamp(-_SLIP, _SLIP)
