"""The one thing that passes between tokenizers, trunk and readouts, and who may read whom.

Source: Octo Model Team, "Octo", 2024, section III-A: blockwise-causal attention over
[task][t = 0: observations][t = 1: ...][t = 0: readouts][t = 1: ...].
"""

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from octoverse.errors import BadConfig

Role = Literal["task", "observation", "readout"]
_CHOICES = 64
"""Choices of tokens for which a layout keeps what it made."""


@dataclass(frozen=True)
class TokenGroup:
    """A run of tokens that belong together, and which of them are real.

    Axes: b batch, t step, n tokens, d width, p position numbers. Task groups have t = 1.
    """

    values: Float[Tensor, "b t n d"]
    valid: Bool[Tensor, "b t n"]
    positions: Float[Tensor, "b t n p"] | None = None


def in_frames(tokens: Float[Tensor, "frames n d"], valid: Bool[Tensor, "b t"]) -> TokenGroup:
    """Tokens of b x t frames, one after another, all those of a frame as valid as it is."""
    values = tokens.unflatten(0, valid.shape)
    return TokenGroup(values, valid[..., None].expand(values.shape[:3]))


@dataclass(frozen=True, kw_only=True)
class GroupSpec:
    """What a layout needs to know about one group of tokens."""

    name: str
    role: Role
    tokens: int
    """Tokens n in one step."""
    steps: int = 1
    """Steps t; a readout of one step stands at the last step of the observations."""
    causal: bool = False
    """Whether a token sees only the earlier tokens of its own group (teacher-forced codes)."""
    reads: tuple[str, ...] = ()
    """Other readout groups that this readout may read (an action reading the reasoning)."""
    repeats: str = ""
    """The task group whose tokens, positions included, stand again in every step (Octo)."""
    shifted: bool = False
    """Whether the first token of this readout counts as one of the group before it, so that others
    read it, as in Octo's models of December 2023."""


@dataclass(frozen=True)
class Part:
    """Queries of one step that stand side by side, and the runs of keys that they read."""

    queries: slice
    keys: tuple[slice, ...]
    rules: Bool[Tensor, "q k"] | None
    """Which query reads which of these keys; None where each reads all."""
    step: int
    """Of the queries; in the whole, the newest."""

    @property
    def scores(self) -> int:
        """How many pairs of query and key it has."""
        count = self.queries.stop - self.queries.start
        return count * sum(run.stop - run.start for run in self.keys)


class Layout:
    """Order, positions and attention rules of the groups of one body; built once, cached."""

    def __init__(
        self, groups: tuple[GroupSpec, ...], span: int | None = None, task_given: bool = False
    ) -> None:
        names = [group.name for group in groups]
        if len(set(names)) != len(names):
            raise BadConfig(f"groups of a layout must have different names, got {names}.")
        self.groups = {group.name: group for group in groups}
        for place, group in enumerate(groups):
            earlier = {one.name for one in groups[:place] if one.role == "readout"}
            if not set(group.reads) <= earlier:
                raise BadConfig(
                    f"'{group.name}' reads {', '.join(group.reads)}, expected readouts that come "
                    f"before it: {', '.join(sorted(earlier)) or 'none'}. Otherwise what it must "
                    "produce could leak into what it reads."
                )
        for group in groups:
            source = self.groups.get(group.repeats)
            if (group.repeats and not task_given) and (
                source is None or source.role != "task" or source.tokens != group.tokens
            ):
                raise BadConfig(
                    f"'{group.name}' repeats '{group.repeats}', expected a task group of "
                    f"{group.tokens} tokens."
                )
        observed = {group.steps for group in groups if group.role == "observation"}
        if len(observed) > 1:
            raise BadConfig(f"observation groups must have one number of steps, got {observed}.")
        self.steps = observed.pop() if observed else 1
        for group in groups:
            most = 1 if group.role == "task" else self.steps
            if not 1 <= group.steps <= most or group.tokens < 1:
                raise BadConfig(
                    f"'{group.name}' has {group.steps} steps of {group.tokens} tokens, expected 1 "
                    f"to {most} steps of at least 1 token."
                )
        order, number = [], {name: i for i, name in enumerate(names)}
        for group in groups:
            if group.role == "task":
                order += [(number[group.name], 0, -1, i) for i in range(group.tokens)]
        for role in ("observation", "readout"):  # readouts last: what others read lies together
            for step in range(self.steps):
                for group in groups:
                    first = self.steps - group.steps
                    if group.role == role and step >= first:
                        order += [
                            (number[group.name], 1 + (role == "readout"), step, i)
                            for i in range(group.tokens)
                        ]
        table = torch.tensor(order).reshape(-1, 4)
        self.group, self.role, self.step, self.index = table.unbind(1)
        self.places = {name: torch.nonzero(self.group == i)[:, 0] for name, i in number.items()}
        self._shift()
        self.mask: Bool[Tensor, "q k"] = self._allowed(span)
        """Which query may read which key by the rules alone, before validity."""
        self.newest: Bool[Tensor, " length"] = self._newest(span)
        """What a readout without tokens of its own reads: what the last step's observations do."""
        self._measure()
        laid_out = torch.cat([self.places[name] for name in names])
        self.inverse: Int[Tensor, " length"] = torch.argsort(laid_out)
        """For each place in the sequence, where it lies among the groups laid end to end."""
        self._some: dict[bytes, Layout] = {}

    def only(self, kept: Bool[Tensor, " length"]) -> "Layout":
        """The same rules for some of the tokens; made once for each choice of them."""
        choice = kept.numpy().tobytes()
        if choice not in self._some:
            if len(self._some) >= _CHOICES:
                self._some.clear()
            some = copy(self)
            some.group, some.role = self.group[kept], self.role[kept]
            some.step, some.index = self.step[kept], self.index[kept]
            some.places = {
                name: torch.nonzero(some.group == i)[:, 0] for i, name in enumerate(self.groups)
            }
            some.mask, some.newest = self.mask[kept][:, kept], self.newest[kept]
            some._measure()
            some._some = {}
            self._some[choice] = some
        return self._some[choice]

    def __len__(self) -> int:
        return len(self.group)

    def _measure(self) -> None:
        self.parts = tuple(self._parts())
        """The same rules, in parts within which (nearly) every query reads every key."""
        everything = slice(0, len(self))
        self.whole = Part(everything, (everything,), self.mask, self.steps - 1)
        """The same rules in one part."""
        self.spared = 1 - sum(part.scores for part in self.parts) / self.whole.scores
        """Share of all scores that reading in parts spares."""
        self.observed = int((self.role < 2).sum())
        """Tokens that are not of readouts; those of readouts follow."""

    def _shift(self) -> None:
        """Find as what every token counts in the rules: most as what they are."""
        self._role, self._group, before = self.role.clone(), self.group.clone(), -1
        for number, group in enumerate(self.groups.values()):
            if group.role == "readout":
                first = (self.group == number) & (self.index == 0)
                if group.shifted and before < 0:
                    self._role[first] = 1  # whichever observation is before: one rule for all
                elif group.shifted:
                    self._group[first] = before
                before = number

    def _newest(self, span: int | None) -> Bool[Tensor, " length"]:
        seen = self._role < 2
        if span is not None:
            seen &= (self.role == 0) | (self.step > self.steps - 1 - span)
        return seen

    def _parts(self) -> Iterator[Part]:
        kinds = list(zip(self.role.tolist(), self.step.tolist(), strict=True))
        ends = [i for i in range(1, len(kinds)) if kinds[i] != kinds[i - 1]]
        for first, end in pairwise([0, *ends, len(self)]):
            rows = self.mask[first:end]
            read = torch.nonzero(rows.any(0))[:, 0].tolist()
            runs = [i for i, place in enumerate(read) if i == 0 or read[i - 1] != place - 1]
            keys = tuple(slice(read[a], read[b - 1] + 1) for a, b in pairwise([*runs, len(read)]))
            rules = torch.cat([rows[:, run] for run in keys], 1)
            step = int(self.step[first])
            yield Part(slice(first, end), keys, None if rules.all() else rules, step)

    def _allowed(self, span: int | None) -> Bool[Tensor, "q k"]:
        names = list(self.groups)
        query, key = self._role[:, None], self._role[None, :]
        past = self.step[None, :] <= self.step[:, None]
        if span is not None:
            past &= self.step[None, :] > self.step[:, None] - span
        same = self._group[None, :] == self._group[:, None]
        to_task = key == 0
        to_observation = (key == 1) & (query >= 1) & past
        to_own = (key == 2) & (query == 2) & same & past
        allowed = to_task | to_observation | to_own
        for name, group in self.groups.items():
            mine = self.group == names.index(name)
            if group.causal:
                later = self.index[None, :] > self.index[:, None]
                together = self.step[None, :] == self.step[:, None]
                allowed &= ~(mine[:, None] & mine[None, :] & together & later)
            for other in group.reads:
                theirs = self.group == names.index(other)
                allowed |= mine[:, None] & theirs[None, :] & past
        return allowed

    def join(self, groups: dict[str, Tensor]) -> Tensor:
        """Lay (b, t, n, ...) groups into one (b, length, ...) sequence."""
        flat = torch.cat([groups[name].flatten(1, 2) for name in self.groups], dim=1)
        return flat[:, self.inverse.to(flat.device)]

    def take(self, sequence: Tensor, name: str) -> Tensor:
        """Take one group out of a (b, length, ...) sequence, as (b, t, n, ...)."""
        group = self.groups[name]
        steps = 1 if group.role == "task" else group.steps
        found = sequence[:, self.places[name].to(sequence.device)]
        return found.unflatten(1, (steps, group.tokens))


@lru_cache(maxsize=256)
def layout(
    groups: tuple[GroupSpec, ...], span: int | None = None, task_given: bool = False
) -> Layout:
    """The layout of these groups; the same object for the same groups.

    Args:
        groups: In the order of the config.
        span: How many steps, its own included, a token reads; None for all.
        task_given: Whether the task was computed earlier and is not among them.
    """
    return Layout(groups, span, task_given)


def safe(name: str) -> str:
    """The name as torch's dictionaries of modules and parameters take it: without a dot."""
    return name.replace(".", "·")
