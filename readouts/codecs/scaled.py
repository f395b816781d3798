"""Actions scaled to mean 0 and standard deviation 1 by the body's statistics; exact."""

from torch import Tensor

from octoverse.readout import Reference


class ScaledCodec:
    """Code = (action - mean) / std; dimensions that statistics leave alone pass as they are."""

    def encode(self, actions: Tensor, reference: Reference) -> Tensor:
        """From the body's units."""
        return (actions - reference.scale.offset) / reference.scale.scale

    def decode(self, code: Tensor, reference: Reference) -> Tensor:
        """To the body's units."""
        return code * reference.scale.scale + reference.scale.offset
