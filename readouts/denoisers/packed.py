"""Linear maps for a loop that applies them many times to few rows.

A product with few rows costs what reading its weights costs, and a CPU's kernels read them in a
layout of their own: for one chunk of a U-Net of 250 M parameters, laying them out anew in every
call takes as long as the product itself. oneDNN lays them out once and keeps them so.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F


def working_dtype(weight: Tensor) -> torch.dtype:
    """What a product with this weight is computed in: autocast's type, else the weight's."""
    device = weight.device.type
    if torch.is_autocast_enabled(device):
        return torch.get_autocast_dtype(device)
    return weight.dtype


def packed(
    weight: Float[Tensor, "o i"], bias: Tensor | None, rows: int
) -> Callable[[Tensor], Tensor]:
    """Map x (..., i) to x weight' + bias, (..., o), without gradients.

    Args:
        weight: Copied: the map does not follow later changes.
        bias: (o,) or none.
        rows: About how many rows an x will have.
    """
    dtype = working_dtype(weight)
    weight = weight.detach().to(dtype)
    bias = None if bias is None else bias.detach().to(dtype)
    reorder = getattr(torch.ops.mkldnn, "_reorder_linear_weight", None)
    if weight.device.type == "cpu" and reorder is not None and torch.backends.mkldnn.is_available():
        laid_out = reorder(weight.contiguous(), rows)
        product = torch.ops.mkldnn._linear_pointwise
        return lambda x: product(x.to(dtype), laid_out, bias, "none", [], "")
    return lambda x: F.linear(x.to(dtype), weight, bias)
