"""Actions as their departure from what is measured now, in standard deviations; exact.

Absolute joint targets differ from one recording to the next by where the body rests; how far they
are from where it is does not. Numbers that are not measured are scaled as the codec 'scaled' does.

Source: Physical-Intelligence/openpi, transforms.py (DeltaActions: joints relative to the state,
grippers absolute), as of 2025.
"""

import torch
from torch import Tensor

from octoverse.errors import SpecMismatch
from octoverse.readout import Reference


class RelativeCodec:
    """Code = (action - measured) / std; needs a State stream that measures an action group."""

    def encode(self, actions: Tensor, reference: Reference) -> Tensor:
        """From the body's units."""
        return (actions - self._origin(reference)) / reference.scale.scale

    def decode(self, code: Tensor, reference: Reference) -> Tensor:
        """To the body's units."""
        return code * reference.scale.scale + self._origin(reference)

    def _origin(self, reference: Reference) -> Tensor:
        """What code 0 stands for, (b, 1, a)."""
        now = reference.measured
        if now is None:
            raise SpecMismatch(
                "the codec 'relative' needs a State stream with the name of an action group, and "
                f"the same numbers in the same units, got the streams {sorted(reference.streams)}. "
                "Name the state so, or choose the codec 'scaled'."
            )
        return torch.where(now.isnan()[:, None], reference.scale.offset, now[:, None])
