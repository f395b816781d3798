"""Attention, by whichever of two equal paths is faster on this device.

On a CPU the backward pass of PyTorch's fused attention costs several times that of the products
written out (benchmarks/model.py measures both), so training there writes them out.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F


def attend(
    query: Float[Tensor, "b h q c"],
    key: Float[Tensor, "b h k c"],
    value: Float[Tensor, "b h k c"],
    mask: Bool[Tensor, "b 1 q k"],
) -> Float[Tensor, "b h q c"]:
    """Softmax attention of h heads; a query reads only the keys where `mask` is true."""
    if query.device.type == "cpu" and torch.is_grad_enabled():
        return attend_written_out(query, key, value, mask)
    return F.scaled_dot_product_attention(query, key, value, attn_mask=mask)


def attend_written_out(query: Tensor, key: Tensor, value: Tensor, mask: Tensor) -> Tensor:
    """The same as two products and a softmax."""
    score = query @ key.transpose(-2, -1) * query.shape[-1] ** -0.5  # (b, h, q, k)
    return score.masked_fill(~mask, torch.finfo(score.dtype).min).softmax(-1) @ value
