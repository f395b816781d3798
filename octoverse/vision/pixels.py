"""Bring images as they come, uint8 with channels last, to what convolutions read."""

from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from octoverse.errors import SpecMismatch


def centred(images: UInt8[Tensor, "*lead h w c"]) -> Float[Tensor, "n c h w"]:
    """Pixels from -1 to 1, all leading axes as one.

    The channels stay last in memory, except where a CPU trains: there, in bfloat16, convolutions
    with GroupNorm take a fifth less time with whole channels one after another.
    """
    flat = images.reshape(-1, *images.shape[-3:]).permute(0, 3, 1, 2)
    # One pass over the bytes, where a conversion and a division would be two.
    pixels = (flat * (1 / 127.5)).sub_(1)
    trains = torch.is_grad_enabled() and pixels.device.type == "cpu"
    return pixels.contiguous() if trains else pixels


def check_size(images: Any, height: int, width: int) -> None:
    """Refuse images of another size than a tokenizer was made for.

    Args:
        images: (b, t, h, w, 3).
        height: Expected h.
        width: Expected w.

    Raises:
        SpecMismatch: if they differ.
    """
    if images.shape[-3:-1] != (height, width):
        found = " x ".join(map(str, images.shape[-3:-1]))
        raise SpecMismatch(
            f"expected images of {height} x {width} as in the tokenizer's config, got {found}. "
            "Give the preprocess config and the tokenizer one size for this camera's role."
        )
