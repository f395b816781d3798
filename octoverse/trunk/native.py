"""Our own transformer trunk: pre-norm blocks over one body's layout, same weights for all bodies.

Source: Octo Model Team, "Octo", 2024, section III-A and appendix; learned positions per group.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from octoverse.errors import BadConfig
from octoverse.tokens import Layout, TokenGroup, safe
from octoverse.trunk.attention import Reading, readings
from octoverse.trunk.block import Block, Turned
from octoverse.trunk.config import NativeTrunkConfig, norm

Memory = tuple[tuple[Tensor, Tensor], ...]
"""Keys and values of every layer, each (b, heads, length, c)."""


@dataclass(frozen=True)
class Past:
    """Tokens that were computed earlier and that every new one may read."""

    memory: Memory
    """Their keys and values, as `TrunkOutput.fresh` gave them."""
    valid: Bool[Tensor, "b past"]
    age: Int[Tensor, " past"]
    """Steps before the newest; 0 for the task."""
    task: int
    """Tokens of the task, which come first."""


@dataclass(frozen=True)
class TrunkOutput:
    """What the trunk made of a sequence."""

    values: Float[Tensor, "b outputs d"]
    """Outputs of all its tokens, or of the readouts alone where no more was wanted."""
    valid: Bool[Tensor, "b length"]
    """Of all tokens, those of the past first."""
    memory: Memory
    """Keys and values of all tokens, those of the past first, turned as the newest step reads."""
    fresh: Memory
    """Keys and values of the new tokens, not turned."""
    order: Layout
    """Of the new tokens, without those that were left out."""


class NativeTrunk(nn.Module):
    """Reads one sequence at a time; bodies differ only in their layout."""

    def __init__(self, config: NativeTrunkConfig, slots: Mapping[str, tuple[int, int]]) -> None:
        """Make the trunk.

        Args:
            config: Sizes.
            slots: For each group name, the steps t and tokens n that get learned positions.
        """
        super().__init__()
        self.config = config
        self.positions = nn.ParameterDict(
            {
                safe(name): nn.Parameter(torch.randn(steps, tokens, config.width) * 0.02)
                for name, (steps, tokens) in slots.items()
            }
        )
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = norm(config)

    def forward(
        self,
        groups: Mapping[str, TokenGroup],
        layout: Layout,
        past: Past | None = None,
        *,
        only_readouts: bool = False,
        leave_out: bool = False,
    ) -> TrunkOutput:
        """Read all groups of one layout.

        Args:
            groups: By name, the groups of `layout`.
            layout: Their order and attention rules.
            past: What comes before them in the sequence.
            only_readouts: Whether outputs of other tokens are not wanted; the last layer then
                computes the readouts' alone.
            leave_out: Whether tokens that are invalid in all samples are not computed at all.
        """
        values, valid = dict[str, Tensor](), dict[str, Tensor]()
        for name, spec in layout.groups.items():
            if spec.repeats:
                source = groups[spec.repeats]
                shape = (len(source.valid), spec.steps, -1, -1)
                placed = source.values + self._position(spec.repeats, 1, 1)
                values[name] = placed.expand(shape)
                valid[name] = source.valid.expand(shape[:3])
            else:
                place = self._position(name, spec.steps, layout.steps)
                values[name], valid[name] = groups[name].values + place, groups[name].valid
        x, real = layout.join(values), layout.join(valid)
        if leave_out and not (some := real.any(0)).all():
            layout, x, real = layout.only(some.cpu()), x[:, some], real[:, some]
        rotary = self.config.positions == "rotary"
        read = readings(layout, real, None if past is None else past.valid, by_step=rotary)
        turned = Turned(layout, past, self.config, x.device) if rotary else None
        memory, fresh = [], []
        for number, block in enumerate(self.blocks):
            last = only_readouts and number == len(self.blocks) - 1
            before = None if past is None else past.memory[number]
            x, kept, new = block(x, read, before, turned, layout.observed if last else 0)
            memory.append(kept)
            fresh.append(new)
        if only_readouts and not self.blocks:
            x = x[:, layout.observed :]
        seen = real if past is None else torch.cat([past.valid, real], 1)
        return TrunkOutput(self.norm(x), seen, tuple(memory), tuple(fresh), layout)

    def compile_blocks(self) -> None:
        """Compile every layer at its first use.

        On a CPU that gains some 4 % of acting for the better part of a minute of compilation, so
        nothing does it by itself.
        """
        for block in self.blocks:
            block.compile()

    def _position(self, name: str, steps: int, window: int) -> Float[Tensor, "t n d"]:
        """Learned positions of the last steps of a window."""
        table = self.positions[safe(name)]
        if len(table) in (steps, 1):
            return table
        if len(table) < window:
            raise BadConfig(
                f"'{name}' has learned positions for {len(table)} steps, got a window of "
                f"{window}. Shorten the window, or train with more max_frames."
            )
        return table[window - steps : window]

    def extend(
        self,
        tokens: Float[Tensor, "b m d"],
        memory: Memory,
        visible: Bool[Tensor, "b length"],
    ) -> tuple[Float[Tensor, "b m d"], Memory]:
        """Continue the trunk by m tokens that read `visible` memory, each other causally.

        Args:
            tokens: New tokens, with whatever positions they need already added.
            memory: Keys and values so far.
            visible: Which places of the memory the new tokens may read.

        Returns:
            Their outputs, and the memory with them at its end.
        """
        count, device = tokens.shape[1], tokens.device
        causal = torch.ones(count, count, dtype=torch.bool, device=device).tril()
        allowed = torch.cat(
            [visible[:, None, :].expand(-1, count, -1), causal.expand(len(tokens), -1, -1)], dim=-1
        )
        length = allowed.shape[-1]
        read = Reading(slice(0, count), (slice(0, length),), allowed[:, None])
        x, longer = tokens, []
        for block, past in zip(self.blocks, memory, strict=True):
            x, kept, _ = block(x, [read], past)
            longer.append(kept)
        return self.norm(x), tuple(longer)
