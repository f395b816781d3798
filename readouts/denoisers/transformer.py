"""Diffusion Policy's transformer: rows of a chunk read earlier rows, and the time and the words.

Source: Chi et al., "Diffusion Policy", 2023, section IV-A; real-stanford/diffusion_policy,
model/diffusion/transformer_for_diffusion.py (8 layers of 256, 4 heads, pre-norm, causal, words and
time through two layers with Mish; initialised as there). Its dropout is left out, and a row may
read all words, which are the trunk's.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from octoverse.packed import Packed, plain
from octoverse.readouts.denoisers.denoiser import Condition
from octoverse.readouts.denoisers.sinusoids import sinusoids
from octoverse.trunk.attention import attend

_Memory = tuple[Tensor, Tensor]
_Product = Callable[[nn.Linear, Tensor], Tensor]


@dataclass(frozen=True, kw_only=True)
class TransformerConfig:
    """Settings of Transformer; Diffusion Policy's."""

    width: int = 256
    """Width inside; even."""
    layers: int = 8
    heads: int = 4
    causal: bool = True
    """Whether a row reads only itself and earlier rows."""

    def __post_init__(self) -> None:
        if self.width < 4 or self.width % 2 or self.layers < 1 or self.heads < 1:
            raise ValueError(
                "width must be an even number of at least 4, layers and heads at least 1, got "
                f"{self.width}, {self.layers} and {self.heads}."
            )
        if self.width % self.heads:
            raise ValueError(f"width ({self.width}) must be divisible by heads ({self.heads}).")

    def build(self, width: int, horizon: int, size: int) -> "Transformer":
        """Make the network for words of this width and chunks of (horizon, size)."""
        return Transformer(self, width, horizon, size)


class Transformer(nn.Module):
    """Reads every valid word by attention."""

    allowed: Tensor

    def __init__(self, config: TransformerConfig, words: int, horizon: int, size: int) -> None:
        super().__init__()
        width, self.width = config.width, config.width
        self.enter, self.words = nn.Linear(size, width), nn.Linear(words, width)
        self.position = nn.Parameter(torch.empty(1, horizon, width))
        self.time_position = nn.Parameter(torch.empty(1, width))
        self.mix = nn.Sequential(
            nn.Linear(width, 4 * width), nn.Mish(), nn.Linear(4 * width, width)
        )
        self.layers = nn.ModuleList(_Layer(width, config.heads) for _ in range(config.layers))
        self.norm, self.leave = nn.LayerNorm(width), nn.Linear(width, size)
        square = torch.ones(1, 1, horizon, horizon, dtype=torch.bool)
        allowed = square.tril() if config.causal else square
        self._packed = Packed()
        self.register_buffer("allowed", allowed, persistent=False)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)
        nn.init.normal_(self.position, std=0.02)
        nn.init.normal_(self.time_position, std=0.02)

    def forward(
        self, noised: Float[Tensor, "b h a"], time: Int[Tensor, " b"], condition: Condition
    ) -> Float[Tensor, "b h a"]:
        """Predict for chunks that each have a time of their own."""
        known = torch.cat([self._moments(time)[:, None], self._read(condition)], 1)
        memory = [layer.remember(known) for layer in self._layers()]
        return self._run(noised, memory, _with_time(condition), plain)

    def along(self, times: Int[Tensor, " s"], condition: Condition) -> Callable[..., Tensor]:
        """The same for a loop: keys and values of words and times are made before it."""
        read, moments = self._read(condition), self._moments(times)
        # Place 0 is the time's: each step puts its own there.
        room = torch.cat([torch.zeros_like(read[:, :1]), read], 1)
        memory = [layer.remember(room) for layer in self._layers()]
        of_times = [layer.remember(moments[:, None]) for layer in self._layers()]
        readable = _with_time(condition)
        layers = [self.leave, *(one for layer in self._layers() for one in layer.of_rows())]
        maps = {layer: self._packed.product(layer) for layer in layers}

        def product(layer: nn.Linear, x: Tensor) -> Tensor:
            return maps[layer](x)

        def step(noised: Tensor, number: int) -> Tensor:
            for (key, value), (time_key, time_value) in zip(memory, of_times, strict=True):
                key[:, :, :1] = time_key[number]
                value[:, :, :1] = time_value[number]
            return self._run(noised, memory, readable, product)

        return step

    def _run(
        self, noised: Tensor, memory: list[_Memory], readable: Tensor, product: _Product
    ) -> Tensor:
        x = plain(self.enter, noised) + self.position
        for layer, known in zip(self._layers(), memory, strict=True):
            x = layer(x, self.allowed, known, readable, product)
        return product(self.leave, self.norm(x)).float()

    def _read(self, condition: Condition) -> Float[Tensor, "b n d"]:
        """The words, as the layers read them; what is not valid as zeros, and not read."""
        words = torch.where(condition.valid[..., None], condition.words, 0)
        return self.mix(self.words(words.to(self.position.dtype)))

    def _moments(self, time: Tensor) -> Float[Tensor, "b d"]:
        """The times, as the layers read them."""
        features = sinusoids(time, self.width).to(self.position.dtype)
        return self.mix(features + self.time_position)

    def _layers(self) -> list["_Layer"]:
        return cast(list[_Layer], self.layers)


class _Layer(nn.Module):
    """Rows read rows, then time and words, then each goes through two layers; all pre-norm."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.row_norm, self.word_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.rows, self.rows_out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.query, self.known = nn.Linear(width, width), nn.Linear(width, 2 * width)
        self.words_out, self.inner_norm = nn.Linear(width, width), nn.LayerNorm(width)
        self.widen, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(
        self, x: Tensor, allowed: Tensor, known: _Memory, readable: Tensor, product: _Product
    ) -> Tensor:
        query, key, value = self._heads(product(self.rows, self.row_norm(x)), 3)
        allowed = allowed.expand(len(x), -1, -1, -1)
        x = x + product(self.rows_out, _joined(attend(query, key, value, allowed)))
        (query,) = self._heads(product(self.query, self.word_norm(x)), 1)
        readable = readable.expand(-1, -1, x.shape[1], -1)
        x = x + product(self.words_out, _joined(attend(query, *known, readable)))
        return x + product(self.narrow, F.gelu(product(self.widen, self.inner_norm(x))))

    def of_rows(self) -> tuple[nn.Linear, ...]:
        """The layers that rows pass, which is all but what makes keys and values of words."""
        return self.rows, self.rows_out, self.query, self.words_out, self.widen, self.narrow

    def remember(self, known: Tensor) -> _Memory:
        """Keys and values, each (b, heads, n, c)."""
        key, value = self._heads(self.known(known), 2)
        return key, value

    def _heads(self, x: Tensor, parts: int) -> tuple[Tensor, ...]:
        return x.unflatten(-1, (parts, self.heads, -1)).permute(2, 0, 3, 1, 4).unbind(0)


def _joined(x: Tensor) -> Float[Tensor, "b n d"]:
    return x.transpose(1, 2).flatten(2)


def _with_time(condition: Condition) -> Bool[Tensor, "b 1 1 n"]:
    """Which of time and words may be read: the time always."""
    return F.pad(condition.valid, (1, 0), value=True)[:, None, None]
