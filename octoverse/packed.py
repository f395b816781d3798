"""Linear maps that are applied many times to few rows, with weights laid out as the CPU reads them.

A product with few rows costs what reading its weights costs. oneDNN reads them in a layout of its
own, into which a plain product brings them anew in every call, and that takes longer than the
product (2.6 times as long in all for 4 rows of 10,240 numbers). Here they are laid out once and
kept beside the weights, which takes as much memory again, until the weights change.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@runtime_checkable
class Layer(Protocol):
    """A module that is a linear map of something, and no nn.Linear."""

    def matrix(self) -> tuple[Tensor, Tensor | None]:
        """Weight (o, i) and bias (o,)."""
        ...

    def parameters(self) -> Iterator[Tensor]:
        """What they are made of."""
        ...


def working_dtype(weight: Tensor) -> torch.dtype:
    """What a product with this weight is computed in: autocast's type, else the weight's."""
    device = weight.device.type
    if torch.is_autocast_enabled(device):
        return torch.get_autocast_dtype(device)
    return weight.dtype


def plain(layer: nn.Linear, x: Tensor) -> Tensor:
    """The layer itself, for an x of any type."""
    return layer(x.to(layer.weight.dtype))


class Packed:
    """The laid-out weights of some layers; a copy of it holds none."""

    def __init__(self) -> None:
        self._kept: dict[Layer | nn.Linear, tuple[Origin, Callable[[Tensor], Tensor]]] = {}

    def product(self, layer: Layer | nn.Linear) -> Callable[[Tensor], Tensor]:
        """Map x (..., i) to x weight' + bias, (..., o), in `working_dtype`; no gradients."""
        sources = tuple(layer.parameters())
        dtype, kept = working_dtype(sources[0]), self._kept.get(layer)
        if kept is None or not kept[0].is_of(sources, dtype):
            matrix = (layer.weight, layer.bias) if isinstance(layer, nn.Linear) else layer.matrix()
            weight, bias = (None if one is None else one.detach().to(dtype) for one in matrix)
            assert weight is not None
            kept = Origin.of(sources, dtype), _laid_out(weight, bias)
            self._kept[layer] = kept
        return kept[1]

    def clear(self) -> None:
        """Give the memory back."""
        self._kept.clear()

    def __deepcopy__(self, memo: object) -> "Packed":
        return Packed()

    def __reduce__(self) -> tuple[type["Packed"], tuple[()]]:
        return Packed, ()


@dataclass(frozen=True)
class Origin:
    """Of what something was made that is kept while that does not change."""

    sources: tuple[Tensor, ...]
    versions: tuple[int, ...]
    dtype: torch.dtype

    @classmethod
    def of(cls, sources: Sequence[Tensor], dtype: torch.dtype) -> "Origin":
        """These tensors as they are now, for use in this type."""
        held = tuple(source.detach() for source in sources)
        return cls(held, tuple(_version(source) for source in sources), dtype)

    def is_of(self, sources: Sequence[Tensor], dtype: torch.dtype) -> bool:
        """Whether these tensors, in this type, are still what it was made of."""
        # The sources are held, so nothing else can come to lie at their addresses.
        return dtype == self.dtype and all(
            held.data_ptr() == source.data_ptr() and version == _version(source)
            for held, version, source in zip(self.sources, self.versions, sources, strict=True)
        )


def _version(tensor: Tensor) -> int:
    """Grows with every change; what is made in inference mode counts none."""
    return -1 if tensor.is_inference() else tensor._version


def _laid_out(weight: Tensor, bias: Tensor | None) -> Callable[[Tensor], Tensor]:
    dtype, reorder = weight.dtype, getattr(torch.ops.mkldnn, "_reorder_linear_weight", None)
    if weight.device.type != "cpu" or reorder is None or not torch.backends.mkldnn.is_available():
        return lambda x: F.linear(x.to(dtype), weight, bias)
    laid_out, apply = reorder(weight.contiguous()), torch.ops.mkldnn._linear_pointwise
    return lambda x: apply(x.to(dtype), laid_out, bias, "none", [], "")
