"""Diffusion Policy's conditional U-Net over the rows of a chunk, with FiLM in every block.

Source: Chi et al., "Diffusion Policy", 2023, section IV-A; real-stanford/diffusion_policy,
model/diffusion/conditional_unet1d.py; sizes of huggingface/lerobot, policies/diffusion (which
leaves out the local condition, as we do); Perez et al., "FiLM", 2018.

Its convolutions are written as products with windows of rows, of weights that lie as a
convolution's: over 4 to 16 rows, a CPU's convolutions mostly move weights about and take three
times as long, forward and backward.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Union, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from octoverse.errors import SpecMismatch
from octoverse.packed import Packed, working_dtype
from octoverse.readouts.denoisers.denoiser import Condition
from octoverse.readouts.denoisers.sinusoids import sinusoids

_Layer = Union["_Convolution", "_Doubling"]
_Product = Callable[[_Layer, Tensor], Tensor]


@dataclass(frozen=True, kw_only=True)
class UNetConfig:
    """Settings of UNet; LeRobot's."""

    widths: tuple[int, ...] = (512, 1024, 2048)
    """Channels of each level; rows are halved from one to the next."""
    kernel: int = 5
    """Rows that a convolution sees; odd."""
    groups: int = 8
    """Of the group norms."""
    time_width: int = 128
    """Width of the time's embedding; even."""

    def __post_init__(self) -> None:
        if not self.widths or min(self.widths) < 1 or self.groups < 1:
            raise ValueError(
                f"widths and groups must be at least 1, got {self.widths} and {self.groups}."
            )
        uneven = [width for width in self.widths if width % self.groups]
        if uneven:
            raise ValueError(
                f"every width must be divisible by groups ({self.groups}), got {uneven[0]}."
            )
        if self.kernel < 1 or self.kernel % 2 == 0 or self.time_width < 4 or self.time_width % 2:
            raise ValueError(
                "kernel must be odd and time_width an even number of at least 4, got "
                f"{self.kernel} and {self.time_width}."
            )

    def build(self, words: int, width: int, horizon: int, size: int) -> "UNet":
        """Make the network for so many words of this width and chunks of (horizon, size)."""
        return UNet(self, words, width, horizon, size)


class UNet(nn.Module):
    """Reads the words side by side; those that are not valid as zeros.

    Rows beyond the horizon, where halving asks for them, are zeros and never answered.
    """

    def __init__(self, config: UNetConfig, words: int, width: int, horizon: int, size: int) -> None:
        super().__init__()
        self.shape, self.words, self.moment = (horizon, size), words, config.time_width
        self.missing = -horizon % 2 ** (len(config.widths) - 1)
        widths, known = config.widths, config.time_width + words * width
        self.time = nn.Sequential(
            nn.Linear(self.moment, 4 * self.moment),
            nn.Mish(),
            nn.Linear(4 * self.moment, self.moment),
        )
        halving = [*(_Convolution(wide, wide, 3, 2, 1) for wide in widths[:-1]), None]
        self.down = nn.ModuleList(
            _Level(config, before, wide, known, step)
            for before, wide, step in zip((size, *widths[:-1]), widths, halving, strict=True)
        )
        self.middle = _Level(config, widths[-1], widths[-1], known, None)
        self.up = nn.ModuleList(
            _Level(config, 2 * wide, narrow, known, _Doubling(narrow, narrow, 4, 2, 1))
            for wide, narrow in zip(widths[:0:-1], widths[-2::-1], strict=True)
        )
        self.last = _Normed(config, widths[0], widths[0])
        self.leave = _Convolution(widths[0], size, 1)
        self._packed = Packed()

    def forward(
        self, noised: Float[Tensor, "b h a"], time: Int[Tensor, " b"], condition: Condition
    ) -> Float[Tensor, "b h a"]:
        """Predict for chunks that each have a time of their own."""
        if self.training:
            self._packed.clear()
        known = F.mish(torch.cat([self._moments(time), self._flat(condition)], -1))
        films = [block.film(known.to(block.film.weight.dtype)) for block in self._blocks()]
        return self._run(noised, films, _product)

    def along(self, times: Int[Tensor, " s"], condition: Condition) -> Callable[..., Tensor]:
        """The same for a loop: weights laid out, and all of FiLM made, before it."""
        flat, blocks = F.mish(self._flat(condition)), self._blocks()
        moments = F.mish(self._moments(times))
        # FiLM is linear in what Mish made of times and words, so that each passes it once.
        weight = torch.cat([block.film.weight for block in blocks])
        bias = torch.cat([block.film.bias for block in blocks])
        of_time, of_words = weight.split([self.moment, flat.shape[-1]], 1)
        of_times = F.linear(moments.to(weight.dtype), of_time).float()
        of_all = F.linear(flat.to(weight.dtype), of_words, bias).float()
        sizes = [block.film.out_features for block in blocks]
        maps = {layer: self._packed.product(layer) for layer in self._layers()}

        def product(layer: _Layer, x: Tensor) -> Tensor:
            return layer.spread(maps[layer](layer.gather(x)).float())

        def step(noised: Tensor, number: int) -> Tensor:
            return self._run(noised, (of_times[number] + of_all).split(sizes, 1), product)

        return step

    def _run(self, noised: Tensor, films: Sequence[Tensor], product: _Product) -> Tensor:
        x, film, skips = F.pad(noised, (0, 0, 0, self.missing)).transpose(1, 2), iter(films), []
        for level in cast(list[_Level], self.down):
            x = level.blocks(x, film, product)
            skips.append(x)
            x = level.resize(x, product)
        x = self.middle.blocks(x, film, product)
        for level in cast(list[_Level], self.up):
            x = level.blocks(torch.cat([x, skips.pop()], 1), film, product)
            x = level.resize(x, product)
        x = product(self.leave, self.last(x, product))
        return x.transpose(1, 2)[:, : self.shape[0]]

    def _moments(self, time: Tensor) -> Float[Tensor, "b m"]:
        features = sinusoids(time, self.moment)
        return self.time(features.to(self.leave.weight.dtype)).float()

    def _flat(self, condition: Condition) -> Float[Tensor, "b n"]:
        if condition.words.shape[1] != self.words:
            raise SpecMismatch(
                f"a U-Net for {self.words} words was given {condition.words.shape[1]}: set the "
                "readout's `words` to the length of the sequence that it reads."
            )
        return torch.where(condition.valid[..., None], condition.words, 0).flatten(1).float()

    def _blocks(self) -> list["_Block"]:
        return [module for module in self.modules() if isinstance(module, _Block)]

    def _layers(self) -> list[_Layer]:
        return [module for module in self.modules() if isinstance(module, _Convolution | _Doubling)]


class _Level(nn.Module):
    """Two blocks, and what halves or doubles the rows after them."""

    def __init__(
        self, config: UNetConfig, inputs: int, outputs: int, known: int, step: "_Layer | None"
    ) -> None:
        super().__init__()
        self.first = _Block(config, inputs, outputs, known)
        self.second = _Block(config, outputs, outputs, known)
        self.step = step

    def blocks(self, x: Tensor, film: Iterator[Tensor], product: _Product) -> Tensor:
        return self.second(self.first(x, next(film), product), next(film), product)

    def resize(self, x: Tensor, product: _Product) -> Tensor:
        return x if self.step is None else product(self.step, x)


class _Block(nn.Module):
    """Two convolutions, each normed, with scale and shift between them, around a residual."""

    def __init__(self, config: UNetConfig, inputs: int, outputs: int, known: int) -> None:
        super().__init__()
        self.first = _Normed(config, inputs, outputs)
        self.film = nn.Linear(known, 2 * outputs)
        self.second = _Normed(config, outputs, outputs)
        self.match = _Convolution(inputs, outputs, 1) if inputs != outputs else None

    def forward(self, x: Tensor, film: Tensor, product: _Product) -> Tensor:
        scale, shift = film.float()[..., None].chunk(2, 1)
        out = self.second(torch.addcmul(shift, scale, self.first(x, product)), product)
        return out + (x if self.match is None else product(self.match, x))


class _Normed(nn.Module):
    """A convolution that keeps the rows, a group norm and Mish."""

    def __init__(self, config: UNetConfig, inputs: int, outputs: int) -> None:
        super().__init__()
        self.layer = _Convolution(inputs, outputs, config.kernel, padding=config.kernel // 2)
        self.norm = nn.GroupNorm(config.groups, outputs)

    def forward(self, x: Tensor, product: _Product) -> Tensor:
        norm = self.norm
        x = product(self.layer, x)
        scale, shift = norm.weight.float(), norm.bias.float()
        return F.mish(F.group_norm(x, norm.num_groups, scale, shift, norm.eps))


class _Convolution(nn.Conv1d):
    """A convolution over rows, (b, i, t) to (b, o, t), as a product with windows of rows."""

    def matrix(self) -> tuple[Tensor, Tensor | None]:
        return self.weight.flatten(1), self.bias

    def gather(self, x: Tensor) -> Float[Tensor, "b t n"]:
        kernel, stride = self.kernel_size[0], self.stride[0]
        if kernel > 1:
            x = F.pad(x, (kernel // 2, kernel // 2)).unfold(-1, kernel, stride)
        return x.transpose(1, 2).flatten(2)

    def spread(self, made: Tensor) -> Tensor:
        return made.transpose(1, 2)


class _Doubling(nn.ConvTranspose1d):
    """A transposed convolution of kernel 4, stride 2 and padding 1, (b, i, t) to (b, o, 2 t)."""

    def matrix(self) -> tuple[Tensor, Tensor | None]:
        assert self.bias is not None
        none = torch.zeros_like(self.bias)
        bias = torch.cat([none, self.bias, self.bias, none])
        return self.weight.permute(2, 1, 0).flatten(0, 1), bias

    def gather(self, x: Tensor) -> Float[Tensor, "b t i"]:
        return x.transpose(1, 2)

    def spread(self, made: Tensor) -> Tensor:
        # Tap j of row t lands at row 2 t - 1 + j.
        left, even, odd, right = made.transpose(1, 2).chunk(4, 1)  # each (b, o, t)
        even = even + F.pad(right, (1, 0))[..., :-1]
        odd = odd + F.pad(left, (0, 1))[..., 1:]
        return torch.stack([even, odd], -1).flatten(2)


def _product(layer: _Layer, x: Tensor) -> Tensor:
    weight, bias = layer.matrix()
    rows = layer.gather(x.to(working_dtype(weight)))
    return layer.spread(F.linear(rows, weight, bias).float())
