"""Attention, by whichever of equal paths is faster on this device, at this precision and length.

Measured in processor time on one core, forward, and forward with backward
(`python benchmarks/model.py` repeats it): on a CPU, PyTorch's fused attention is the faster in
float32 and the two products written out in bfloat16, where the fused backward pass costs three
times as much. A long sequence is read part by part, since queries of one step read the same keys:
what nobody reads is not computed, and where all keys are valid there is no mask. Below some hundred
tokens the additional calls cost more than that spares.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from octoverse.tokens import Layout

_SHORT = 256
"""Tokens below which a sequence is read as a whole."""
_SPARED = 0.15
"""Share of the scores that reading in parts must spare."""


@dataclass(frozen=True)
class Reading:
    """Which keys some queries of this batch read."""

    queries: slice
    keys: tuple[slice, ...]
    mask: Bool[Tensor, "b 1 q k"] | None
    """None where every query reads every key."""
    step: int = 0
    """The step of the queries, where all are of one."""


def readings(
    layout: Layout,
    valid: Bool[Tensor, "b length"],
    past: Bool[Tensor, "b past"] | None = None,
    *,
    by_step: bool = False,
) -> list[Reading]:
    """How the queries of a layout read, in parts or as a whole.

    Args:
        layout: Who may read whom.
        valid: Which of its tokens are real; nobody reads the others.
        past: Which of the keys that come before the layout's are real; everybody reads those.
        by_step: Whether the queries of a part must be of one step.
    """
    before = 0 if past is None else past.shape[1]
    real = valid if past is None else torch.cat([past, valid], 1)
    # Asking a GPU would wait for it, and there a mask costs little.
    complete = valid.device.type == "cpu" and bool(real.all())
    in_parts = by_step or _split(layout, valid.device)
    found = []
    for part in layout.parts if in_parts else (layout.whole,):
        keys = [slice(0, before)] if before else []
        for run in part.keys:
            moved = slice(before + run.start, before + run.stop)
            if keys and keys[-1].stop == moved.start:
                moved = slice(keys.pop().start, moved.stop)
            keys.append(moved)
        count = part.queries.stop - part.queries.start
        rules: Tensor | None = None
        if part.rules is not None:
            rules = _with_past(part.rules.to(valid.device), before)
        if complete:
            mask = None if rules is None else rules[None, None]
        else:
            seen = torch.cat([real[:, run] for run in keys], 1)
            if rules is None:
                rules = torch.ones(count, seen.shape[1], dtype=torch.bool, device=seen.device)
            own = torch.cat([torch.arange(run.start, run.stop) for run in keys])
            place = torch.arange(part.queries.start, part.queries.stop) + before
            mask = _visible(rules, seen, (own[None] == place[:, None]).to(seen.device))
        found.append(Reading(part.queries, tuple(keys), mask, part.step))
    return found


def attend_all(
    query: Float[Tensor, "b h q c"],
    key: Callable[[int], Float[Tensor, "b h k c"]],
    value: Float[Tensor, "b h k c"],
    readings: Sequence[Reading],
) -> Float[Tensor, "b h q c"]:
    """Attention of all queries, each part over the keys that it reads.

    Args:
        query: Of all tokens that are wanted.
        key: Gives all keys as queries of one step read them.
        value: Of all keys.
        readings: Who reads what.
    """
    read = [
        attend(
            query[:, :, part.queries],
            chosen(key(part.step), part.keys),
            chosen(value, part.keys),
            part.mask,
        )
        for part in readings
    ]
    return read[0] if len(read) == 1 else torch.cat(read, 2)


def attend(
    query: Float[Tensor, "b h q c"],
    key: Float[Tensor, "b h k c"],
    value: Float[Tensor, "b h k c"],
    mask: Bool[Tensor, "#b 1 q k"] | None,
) -> Float[Tensor, "b h q c"]:
    """Softmax attention of h heads; a query reads only the keys where `mask` is true."""
    if query.device.type == "cpu" and query.dtype == torch.bfloat16:
        return attend_written_out(query, key, value, mask)
    return F.scaled_dot_product_attention(query, key, value, attn_mask=mask)


def attend_written_out(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
    """The same as two products and a softmax."""
    score = (query * query.shape[-1] ** -0.5) @ key.transpose(-2, -1)  # (b, h, q, k)
    if mask is not None:
        score = score.masked_fill(~mask, torch.finfo(score.dtype).min)
    return score.softmax(-1) @ value


def chosen(values: Float[Tensor, "b h k c"], runs: tuple[slice, ...]) -> Tensor:
    """These runs of keys, side by side."""
    if len(runs) == 1:
        return values[:, :, runs[0]]
    return torch.cat([values[:, :, run] for run in runs], 2)


def _split(layout: Layout, device: torch.device) -> bool:
    return device.type == "cpu" and len(layout) >= _SHORT and layout.spared > _SPARED


def _with_past(rules: Bool[Tensor, "q k"], before: int) -> Bool[Tensor, "q m"]:
    return F.pad(rules, (before, 0), value=True)


def _visible(
    rules: Bool[Tensor, "q m"], real: Bool[Tensor, "b m"], own: Bool[Tensor, "q m"]
) -> Bool[Tensor, "b 1 q m"]:
    """Rules and validity; where that leaves nothing, a query reads itself."""
    allowed = rules & real[:, None, :]
    nothing = ~allowed.any(-1, keepdim=True)
    return (allowed | (nothing & own))[:, None]
