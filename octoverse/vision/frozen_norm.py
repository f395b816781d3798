"""Batch normalisation whose numbers no longer change, folded into the convolution before it.

While nothing learns, the folded weights are kept, on a CPU in the layout in which oneDNN reads
them: bringing them there in every call would take a fifth of the time of a ResNet.

Source: torchvision, ops/misc.py (FrozenBatchNorm2d; the same names and numbers).
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from octoverse.packed import Origin, working_dtype


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
        self._kept: _Kept | None = None

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Normalise."""
        scale, shift = self._affine()
        return x * scale[:, None, None] + shift[:, None, None]

    def after(
        self, convolution: nn.Conv2d, x: Float[Tensor, "b n h w"], *, relu: bool = False
    ) -> Float[Tensor, "b c h2 w2"]:
        """What `self(convolution(x))` gives, rectified if asked, in the time of the convolution."""
        sources = (
            *(convolution.weight, self.weight, self.bias),
            *(self.running_mean, self.running_var),
        )
        unchanging = not (torch.is_grad_enabled() or torch.compiler.is_compiling())
        if not unchanging or any(source.is_inference() for source in sources):
            weight, bias = self._folded(convolution)
            found = F.conv2d(x, weight, bias, convolution.stride, convolution.padding)
            return found.relu_() if relu else found
        dtype = working_dtype(convolution.weight)
        if self._kept is None or not self._kept.origin.is_of(sources, dtype):
            with torch.inference_mode(False), torch.no_grad():
                weight, bias = (part.to(dtype) for part in self._folded(convolution))
                run = _laid_out(convolution, weight, bias, x.shape[1:])
            self._kept = _Kept(Origin.of(sources, dtype), run)
        return self._kept.run(x.to(dtype), relu)

    def _folded(self, convolution: nn.Conv2d) -> tuple[Tensor, Tensor]:
        scale, shift = self._affine()
        return convolution.weight * scale[:, None, None, None], shift

    def _affine(self) -> tuple[Tensor, Tensor]:
        scale = self.weight * (self.running_var + self.epsilon).rsqrt()
        return scale, self.bias - self.running_mean * scale


@dataclass(frozen=True)
class _Kept:
    """A convolution, and of what its weights were made; a copy of a module holds none."""

    origin: Origin
    run: Callable[[Tensor, bool], Tensor]

    def __deepcopy__(self, memo: object) -> None:
        return None

    def __reduce__(self) -> tuple[type[None], tuple[()]]:
        return type(None), ()


def _laid_out(
    convolution: nn.Conv2d, weight: Tensor, bias: Tensor, shape: torch.Size
) -> Callable[[Tensor, bool], Tensor]:
    """A convolution with these weights, best for one input of this shape (n, h, w)."""
    stride, padding, plain = convolution.stride, convolution.padding, [1, 1]
    reorder = getattr(torch._C._nn, "mkldnn_reorder_conv2d_weight", None)
    if weight.device.type != "cpu" or reorder is None or not torch.backends.mkldnn.is_available():
        weight = weight.contiguous(memory_format=torch.channels_last)

        def run(x: Tensor, relu: bool) -> Tensor:
            found = F.conv2d(x, weight, bias, stride, padding)
            return found.relu_() if relu else found

        return run
    laid_out = reorder(weight.to_mkldnn(), padding, stride, plain, 1, [1, *shape])
    apply = torch.ops.mkldnn._convolution_pointwise

    def run_laid_out(x: Tensor, relu: bool) -> Tensor:
        last = "relu" if relu else "none"
        found: Tensor = apply(x, laid_out, bias, padding, stride, plain, 1, last, [], "")
        return found

    return run_laid_out


def _drop_count(module: nn.Module, state: dict[str, Tensor], prefix: str, *others: object) -> None:
    """Training's batch normalisation also counts its batches; frozen, it needs no count."""
    state.pop(f"{prefix}num_batches_tracked", None)
