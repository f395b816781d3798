"""One layer of the native trunk: attention and a feed-forward layer, each behind a norm."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from octoverse.packed import Packed
from octoverse.tokens import Layout
from octoverse.trunk.attention import Reading, attend_all
from octoverse.trunk.config import NativeTrunkConfig, norm
from octoverse.trunk.rotary import rotate, turns

if TYPE_CHECKING:
    from octoverse.trunk.native import Past

Pair = tuple[Tensor, Tensor]
"""Keys and values, each (b, heads, n, c)."""


class Block(nn.Module):
    """Attention and a feed-forward layer, each behind a norm."""

    def __init__(self, config: NativeTrunkConfig) -> None:
        super().__init__()
        width, inner = config.width, round(config.width * config.mlp_ratio)
        self.heads = config.heads
        self.attention_norm, self.mlp_norm = norm(config), norm(config)
        self.project_in, self.project_out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        gated = config.activation == "swiglu"
        first = nn.Linear(width, 2 * inner if gated else inner)
        self.mlp = nn.Sequential(first, _ACTIVATIONS[config.activation](), nn.Linear(inner, width))
        self._packed = Packed()

    def forward(
        self,
        x: Tensor,
        readings: Sequence[Reading] | None = None,
        past: Pair | None = None,
        turned: "Turned | None" = None,
        first: int = 0,
    ) -> tuple[Tensor, Pair, Pair]:
        """One layer.

        Args:
            x: (b, n, d).
            readings: Which queries read which keys; None where all read all.
            past: Keys and values that come before those of x.
            turned: How rotary positions turn queries and keys; None where there are none.
            first: Queries before this one are not wanted.

        Returns:
            Outputs (b, n - first, d), keys and values including `past`, and those of x alone.
        """
        if readings is None:
            everything = slice(0, x.shape[1])
            readings = [Reading(everything, (everything,), None)]
        linear, normed = self._linear, self.attention_norm(x)
        if first:
            weight, bias = self.project_in.weight, self.project_in.bias
            width = x.shape[-1]
            query = self._heads(F.linear(normed[:, first:], weight[:width], bias[:width]), 1)[0]
            key, value = self._heads(F.linear(normed, weight[width:], bias[width:]), 2)
            readings = [_clipped(one, first) for one in readings if one.queries.stop > first]
            x = x[:, first:]
        else:
            query, key, value = self._heads(linear(self.project_in, normed), 3)
        fresh = (key, value)
        if turned is not None:
            query, key = turned.new(query, key)
        if past is not None:
            earlier = [past[0]] if turned is None else turned.past(past[0])
            key, value = torch.cat([*earlier, key], 2), torch.cat([past[1], value], 2)
        read = attend_all(
            query,
            lambda step: key if turned is None else turned.key_at(step, key),
            value,
            readings,
        )
        x = x + linear(self.project_out, read.transpose(1, 2).flatten(2))
        widen, act, narrow = self.mlp
        inner = act(linear(cast(nn.Linear, widen), self.mlp_norm(x)))
        x = x + linear(cast(nn.Linear, narrow), inner)
        return x, (key, value), fresh

    @property
    def _linear(self) -> Callable[[nn.Linear, Tensor], Tensor]:
        """How linear layers are applied: where nothing learns on a CPU, by laid-out weights."""
        learns = torch.is_grad_enabled() or self.project_in.weight.device.type != "cpu"
        if learns or torch.compiler.is_compiling():
            return lambda layer, x: layer(x)
        # A layer that something was added to (LoRA) is applied as it says itself.
        return lambda layer, x: (
            self._packed.product(layer)(x) if type(layer) is nn.Linear else layer(x)
        )

    def _heads(self, projected: Tensor, parts: int) -> tuple[Tensor, ...]:
        """Parts of (b, h, n, c) each."""
        return projected.unflatten(-1, (parts, self.heads, -1)).permute(2, 0, 3, 1, 4).unbind(0)


class Turned:
    """Turns queries and keys of one sequence by their steps; those of the newest stay as they are.

    The task belongs to no step: every query reads its keys as if they were of the query's own.
    """

    def __init__(
        self, layout: Layout, past: "Past | None", config: NativeTrunkConfig, device: torch.device
    ) -> None:
        task = layout.role == 0
        channels, last = config.width // config.heads, layout.steps - 1
        new = torch.where(task, 0, layout.step - last).to(device)
        before = new[:0] if past is None else -past.age.to(device)
        first = len(before) if task.any() or past is None else 0
        count = int(task.sum()) if task.any() or past is None else past.task
        self.task = slice(first, first + count)
        self._task_turns = {
            at: turns(torch.full((count,), at - last, device=device), channels)
            for at in range(last if count else 0)
        }
        self._new = turns(new, channels) if new.any() else None  # by 0 nothing turns
        self._early = 0 if past is None else past.task
        self._past = turns(before[self._early :], channels)

    def new(self, query: Tensor, key: Tensor) -> Pair:
        """Queries, the last ones of the sequence, and keys of the new tokens, turned."""
        if self._new is None:
            return query, key
        cos, sin = (one[-query.shape[2] :] for one in self._new)
        return rotate(query, (cos, sin)), rotate(key, self._new)

    def past(self, key: Tensor) -> list[Tensor]:
        """Keys of what came before, turned, in runs."""
        return [key[:, :, : self._early], rotate(key[:, :, self._early :], self._past)]

    def key_at(self, step: int, key: Tensor) -> Tensor:
        """All keys as queries of one step read them: the task's turned as theirs."""
        if step not in self._task_turns:
            return key
        task = self.task
        turned = rotate(key[:, :, task], self._task_turns[step])
        return torch.cat([key[:, :, : task.start], turned, key[:, :, task.stop :]], 2)


def _clipped(one: Reading, first: int) -> Reading:
    """The same for the queries from `first` on, which then are counted from there."""
    start = max(one.queries.start, first)
    skipped = start - one.queries.start
    mask = one.mask if one.mask is None else one.mask[:, :, skipped:]
    return replace(one, queries=slice(start - first, one.queries.stop - first), mask=mask)


class Gate(nn.Module):
    """Half of the channels, let through by the other half (Shazeer, "GLU variants", 2020)."""

    def forward(self, x: Tensor) -> Tensor:
        """Halve the last axis."""
        gate, value = x.chunk(2, -1)
        return F.silu(gate) * value


_ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "gelu_tanh": lambda: nn.GELU("tanh"),
    "swiglu": Gate,
}
