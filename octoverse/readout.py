"""What a readout is: it puts tokens into the sequence and makes actions of what comes out.

A readout is a generator; a codec stands between the body's units and what it generates.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from octoverse.tokens import TokenGroup
from octoverse.trunk.native import Memory

Reads = Literal["own", "outputs", "memory"]
"""What of the trunk a readout reads: the outputs at its own tokens, those of the whole sequence, or
the keys and values of every layer. The trunk skips work that nobody reads."""


@dataclass(frozen=True, kw_only=True)
class TrunkShape:
    """What a readout needs to know of the trunk that it reads."""

    width: int
    layers: int
    heads: int

    @property
    def head_width(self) -> int:
        """Channels c of one head."""
        return self.width // self.heads


@dataclass(frozen=True)
class Scale:
    """Statistics of the action groups of one body, laid side by side.

    Each is (a,) or (h, a), or (b, 1, a) where samples are scaled each in their own way.
    """

    offset: Tensor
    scale: Tensor
    """normal scaling: (action - offset) / scale has mean 0 and standard deviation 1."""
    quantile_offset: Tensor
    quantile_scale: Tensor
    """quantile scaling: q01 to q99 becomes -1 to 1."""

    def repeat(self, samples: int) -> "Scale":
        """The same for `samples` answers to each observation."""
        if self.scale.ndim < 3:
            return self
        parts = (self.offset, self.scale, self.quantile_offset, self.quantile_scale)
        return Scale(*(part.repeat_interleave(samples, 0) for part in parts))


@dataclass(frozen=True)
class Reference:
    """What a code is relative to."""

    streams: Mapping[str, Tensor]
    """The newest value of every numeric stream, in the body's units, (b, ...); of a command its
    index, int64 (b,), -1 where none is given."""
    scale: Scale
    hz: float
    """Rows per second of the chunk."""
    measured: Tensor | None = None
    """What each number of the action is measured to be now, (b, a), NaN where nothing measures it;
    None where no number of the action is ever measured."""

    def repeat(self, samples: int) -> "Reference":
        """The same for `samples` answers to each observation, (b * samples, ...)."""
        streams = {k: v.repeat_interleave(samples, 0) for k, v in self.streams.items()}
        now = None if self.measured is None else self.measured.repeat_interleave(samples, 0)
        return replace(self, streams=streams, measured=now, scale=self.scale.repeat(samples))


class Codec(Protocol):
    """An invertible code of actions, inverse within a bound that it states.

    Row i of a code says nothing of the actions after row i, so that first rows can be held.
    """

    def encode(self, actions: Float[Tensor, "b h a"], reference: Reference) -> Tensor:
        """From the body's units to what a generator makes."""
        ...

    def decode(self, code: Tensor, reference: Reference) -> Float[Tensor, "b h a"]:
        """And back."""
        ...


@dataclass(frozen=True)
class Context:
    """What the trunk has to say to one readout."""

    own: Float[Tensor, "b t n d"]
    """Outputs at this readout's own tokens; n is 0 where it has none."""
    outputs: Float[Tensor, "b outputs d"]
    """All outputs of the sequence; of a readout that reads its own alone, maybe no more than
    those."""
    visible: Bool[Tensor, "b length"]
    """Which places of the sequence this readout may read."""
    memory: Memory
    """The trunk's keys and values, layer by layer, each (b, heads, length, c)."""
    reference: Reference
    seeds: Int[Tensor, " b"]
    """One seed per sample, for noise that no neighbour changes."""
    continue_trunk: Callable[[Tensor, Memory, Tensor], tuple[Tensor, Memory]]

    def extend(self, tokens: Float[Tensor, "b m d"]) -> tuple[Float[Tensor, "b m d"], "Context"]:
        """Continue the trunk by m tokens, each reading the visible past and those before it.

        Returns:
            Their outputs, and a context that has them in its memory.
        """
        outputs, memory = self.continue_trunk(tokens, self.memory, self.visible)
        seen = torch.ones(tokens.shape[:2], dtype=torch.bool, device=tokens.device)
        longer = replace(
            self,
            outputs=torch.cat([self.outputs, outputs], 1),
            visible=torch.cat([self.visible, seen], 1),
            memory=memory,
        )
        return outputs, longer


@dataclass(frozen=True)
class Loss:
    """A readout's loss: the mean over valid numbers, and how many there were."""

    total: Float[Tensor, ""]
    count: Int[Tensor, ""]


@dataclass(frozen=True)
class Sample:
    """What a readout answers, in its codec's code."""

    actions: Tensor
    """(b, samples, horizon, a)."""
    scores: Float[Tensor, "b samples"] | None = None
    text: list[str] | None = None


@runtime_checkable
class Readout(Protocol):
    """Makes actions; an nn.Module."""

    def tokens(self, batch: int, target: Tensor | None) -> TokenGroup:
        """What it puts into the sequence: queries, or codes of `target` (b, h, a) in training."""
        ...

    def loss(self, context: Context, target: Tensor, valid: Bool[Tensor, "b h a"]) -> Loss:
        """How far it is from `target`, in its codec's code; invalid numbers never count."""
        ...

    def sample(
        self,
        context: Context,
        *,
        noise: Float[Tensor, "b samples h a"],
        samples: int = 1,
        prefix: Tensor | None = None,
        valid: Bool[Tensor, "b h a"] | None = None,
    ) -> Sample:
        """Make actions from given noise.

        Args:
            context: What the trunk says.
            noise: Standard normal numbers.
            samples: Answers to each observation.
            prefix: (b, p, a), holds the first p rows fixed.
            valid: Which numbers exist; the others influence none of these, and come out as 0.
        """
        ...


@runtime_checkable
class Fitted(Protocol):
    """A readout that learns something of the actions before training begins, such as anchors."""

    def fit(self, codes: Float[Tensor, "n h a"], valid: Bool[Tensor, "n h a"]) -> None:
        """Learn from the codes of n chunks of the training data; kept in persistent buffers."""
        ...


class ReadoutConfig(Protocol):
    """Settings of a readout: a frozen dataclass."""

    @property
    def codec(self) -> str:
        """Name of the codec between the body's units and what it generates."""
        ...

    @property
    def token_count(self) -> int:
        """How many tokens n it puts into the sequence; it may be none."""
        ...

    @property
    def causal(self) -> bool:
        """Whether its tokens see only the earlier ones among them."""
        ...

    @property
    def reads(self) -> Reads:
        """What of the trunk it reads."""
        ...

    def build(self, trunk: TrunkShape, horizon: int, size: int) -> Any:
        """Make the readout for this trunk and chunks of (horizon, size)."""
        ...


def masked_mean(values: Tensor, valid: Tensor) -> Loss:
    """Mean of `values` where `valid`; zero where nothing is."""
    count = valid.sum()
    total = torch.where(valid, values, 0).sum() / count.clamp(min=1)
    return Loss(total, count)


def queries(learned: Float[Tensor, "1 1 n d"], batch: int) -> TokenGroup:
    """Learned tokens, the same for every sample."""
    values = learned.expand(batch, -1, -1, -1)
    return TokenGroup(values, torch.ones_like(values[..., 0], dtype=torch.bool))


def blank(like: Tensor, batch: int, count: int, width: int) -> TokenGroup:
    """Tokens of zeros, (batch, 1, count, width): what they are the trunk's positions say."""
    values = torch.zeros(batch, 1, count, width, device=like.device, dtype=like.dtype)
    return TokenGroup(values, torch.ones_like(values[..., 0], dtype=torch.bool))


def held(actions: Tensor, prefix: Tensor | None) -> Tensor:
    """Samples (b, k, h, a) with a prefix (b, p, a), where there is one, for the first rows."""
    if prefix is None:
        return actions
    rows = prefix[:, None].expand(-1, actions.shape[1], -1, -1).to(actions)
    return torch.cat([rows, actions[:, :, prefix.shape[1] :]], 2)


def only_valid(actions: Tensor, valid: Tensor | None) -> Tensor:
    """Samples (b, k, h, a) with 0 for the numbers that do not exist."""
    return actions if valid is None else torch.where(valid[:, None], actions, 0)
