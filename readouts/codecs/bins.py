"""Actions as the number of one of 256 uniform bins between the 1 % and the 99 % quantile.

Source: Kim et al., "OpenVLA", 2024, section 3.2. Inverse within half a bin between the quantiles;
what lies outside becomes the outermost bin's centre.
"""

from torch import Tensor

from octoverse.readout import Reference

BINS = 256


class BinsCodec:
    """Code = bin number, int64; decoded to the bin's centre."""

    def encode(self, actions: Tensor, reference: Reference) -> Tensor:
        """From the body's units."""
        scale = reference.scale
        unit = (actions - scale.quantile_offset) / scale.quantile_scale  # q01..q99 is -1..1
        return ((unit + 1) / 2 * BINS).floor().clamp(0, BINS - 1).long()

    def decode(self, code: Tensor, reference: Reference) -> Tensor:
        """To the body's units."""
        scale = reference.scale
        unit = (code.to(scale.quantile_scale.dtype) + 0.5) / BINS * 2 - 1
        return unit * scale.quantile_scale + scale.quantile_offset
