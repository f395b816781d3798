"""Actions scaled so that most of them lie from -1 to 1; exact.

Source: Chi et al., "Diffusion Policy", 2023, section IV-A scales by the smallest and the largest
number; here by the 1 % and 99 % quantiles, since one bad recording moves the former.
"""

from torch import Tensor

from octoverse.readout import Reference


class RangedCodec:
    """Code = (action - middle) / half the width between the 1 % and 99 % quantiles."""

    def encode(self, actions: Tensor, reference: Reference) -> Tensor:
        """From the body's units."""
        return (actions - reference.scale.quantile_offset) / reference.scale.quantile_scale

    def decode(self, code: Tensor, reference: Reference) -> Tensor:
        """To the body's units."""
        return code * reference.scale.quantile_scale + reference.scale.quantile_offset
