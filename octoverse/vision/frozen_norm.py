"""Batch normalisation whose numbers no longer change, folded into the convolution before it.

Source: torchvision, ops/misc.py (FrozenBatchNorm2d; the same names and numbers).
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F


class FrozenBatchNorm(nn.Module):
    """Scale and shift every channel by what some training has found; nothing here learns."""

    weight: Tensor
    bias: Tensor
    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int, epsilon: float = 1e-5) -> None:
        super().__init__()
        self.epsilon = epsilon
        self.register_buffer("weight", torch.ones(channels))
        self.register_buffer("bias", torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))
        self.register_load_state_dict_pre_hook(_drop_count)
        self._kept: _Folded | None = None

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Normalise."""
        scale, shift = self._affine()
        return x * scale[:, None, None] + shift[:, None, None]

    def after(
        self, convolution: nn.Conv2d, x: Float[Tensor, "b n h w"]
    ) -> Float[Tensor, "b c h2 w2"]:
        """What `self(convolution(x))` gives, in the time of the convolution alone.

        While nothing learns, the folded weights are kept until one of their sources changes.
        """
        weight, bias = self._folded(convolution, x.device.type)
        return F.conv2d(x, weight, bias, convolution.stride, convolution.padding)

    def _affine(self) -> tuple[Tensor, Tensor]:
        scale = self.weight * (self.running_var + self.epsilon).rsqrt()
        return scale, self.bias - self.running_mean * scale

    def _folded(self, convolution: nn.Conv2d, device: str) -> tuple[Tensor, Tensor]:
        sources = (
            *(convolution.weight, self.weight, self.bias),
            *(self.running_mean, self.running_var),
        )
        unchanging = not (torch.is_grad_enabled() or torch.compiler.is_compiling())
        if not unchanging or any(source.is_inference() for source in sources):
            scale, shift = self._affine()
            return convolution.weight * scale[:, None, None, None], shift
        dtype = convolution.weight.dtype
        if torch.is_autocast_enabled(device):
            dtype = torch.get_autocast_dtype(device)
        if self._kept is None or not self._kept.is_of(sources, dtype):
            with torch.inference_mode(False), torch.no_grad():
                scale, shift = self._affine()
                weight = (convolution.weight * scale[:, None, None, None]).to(dtype)
                folded = weight.contiguous(memory_format=torch.channels_last), shift.to(dtype)
            held = tuple(source.detach() for source in sources)
            self._kept = _Folded(held, [source._version for source in sources], *folded)
        return self._kept.weight, self._kept.bias


@dataclass(frozen=True)
class _Folded:
    """Folded weights, and of what they were made."""

    sources: tuple[Tensor, ...]
    versions: list[int]
    weight: Tensor
    bias: Tensor

    def is_of(self, sources: tuple[Tensor, ...], dtype: torch.dtype) -> bool:
        """Whether the weights are still those of these sources."""
        # The sources are held, so nothing else can come to lie at their addresses.
        return (
            dtype == self.weight.dtype
            and self.versions == [source._version for source in sources]
            and [held.data_ptr() for held in self.sources] == [s.data_ptr() for s in sources]
        )


def _drop_count(module: nn.Module, state: dict[str, Tensor], prefix: str, *others: object) -> None:
    """Training's batch normalisation also counts its batches; frozen, it needs no count."""
    state.pop(f"{prefix}num_batches_tracked", None)
