"""What a policy need not compute again for a robot: kept in its memory, by what it was made of.

Kept are the tokens of each frame (before positions), the trunk's keys and values of the task, and,
in a streaming trunk, those of the frames that are still read. Whatever is kept equals what would be
computed, so a memory that was dropped costs time and nothing else; a stream whose memory was
dropped begins anew with the frames of its window.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from octoverse.tokenizer import StreamBatch
from octoverse.tokens import GroupSpec, Layout, TokenGroup, layout
from octoverse.trunk.native import NativeTrunk, Past, TrunkOutput

Key = tuple[Any, ...]
"""What tells one robot's task, or one of its frames, from another."""


@dataclass(frozen=True)
class Seen:
    """Which frames one robot's window holds, and what is remembered of the robot."""

    frames: tuple[int, ...]
    """A number of its own for every frame, oldest first; -1 where there is none."""
    memory: dict[str, Any]


@dataclass(frozen=True)
class Run:
    """What the trunk made of some of the robots."""

    rows: list[int]
    out: TrunkOutput
    order: Layout
    """Of the new tokens; what is remembered comes before them."""

    def part(self, places: Sequence[int]) -> "Run":
        """Some of its robots, by their places here."""
        out = self.out
        if len(places) == len(self.rows):
            return self

        def some(memory: Iterable[tuple[Tensor, Tensor]]) -> tuple[tuple[Tensor, Tensor], ...]:
            return tuple((key[places], value[places]) for key, value in memory)

        memory, fresh = some(out.memory), some(out.fresh)
        made = TrunkOutput(out.values[places], out.valid[places], memory, fresh, out.order)
        return Run([self.rows[place] for place in places], made, self.order)


@dataclass(frozen=True)
class Kept:
    """What the trunk made of the task or of one frame of one robot."""

    pairs: tuple[tuple[Tensor, Tensor], ...]
    """Keys and values of every layer, each (h, n, c), not turned."""
    outputs: Tensor
    """(n, d), or nothing where no readout reads outputs."""
    valid: Tensor
    """(n,)."""


def remembered_tokens(
    tokenizer: nn.Module, spec: GroupSpec, inputs: Mapping[str, StreamBatch], seen: Sequence[Seen]
) -> tuple[TokenGroup, list[Key]]:
    """Tokens of every robot's window, of which only new frames are computed.

    Returns:
        The tokens, and for each robot what tells these inputs from others: all of them for a task,
        the words for an observation.
    """
    task = spec.role == "task"
    words = [_content(inputs, row, task) for row in range(len(seen))]
    keys: list[list[Key | None]] = [
        [words[row]] if task else [None if f < 0 else (f, *words[row]) for f in one.frames]
        for row, one in enumerate(seen)
    ]
    kept = [one.memory.get("tokens", {}).get(spec.name, {}) for one in seen]
    new = [
        (row, step)
        for row, mine in enumerate(keys)
        for step, key in enumerate(mine)
        if key is not None and key not in kept[row]
    ]
    found = [dict[Key, tuple[Tensor, Tensor]]() for _ in seen]
    if new:
        made = tokenizer({name: _picked(one, new, task) for name, one in inputs.items()})
        for i, (row, step) in enumerate(new):
            key = keys[row][step]
            assert key is not None
            found[row][key] = (made.values[i, 0].clone(), made.valid[i, 0].clone())
    rows = []
    for row, (one, mine) in enumerate(zip(seen, keys, strict=True)):
        whole = {key: found[row].get(key) or kept[row][key] for key in mine if key is not None}
        one.memory.setdefault("tokens", {})[spec.name] = whole
        value, real = next(iter(whole.values()))
        nothing = torch.zeros_like(value), torch.zeros_like(real)  # nobody reads it
        rows.append([nothing if key is None else whole[key] for key in mine])
    values = torch.stack([torch.stack([value for value, _ in row]) for row in rows])
    valid = torch.stack([torch.stack([real for _, real in row]) for row in rows])
    return TokenGroup(values, valid), words


def run_remembering(
    trunk: NativeTrunk,
    groups: Mapping[str, TokenGroup],
    order: Layout,
    seen: Sequence[Seen],
    tasks: Sequence[Key],
    only_readouts: bool,
    leave_out: bool,
) -> list[Run]:
    """Run the trunk over what is new; robots whose memories differ in shape run apart.

    Args:
        trunk: The trunk.
        groups: Tokens of all robots' windows.
        order: Their layout.
        seen: What is remembered of each robot; it is brought up to date.
        tasks: For each robot, what tells its task from another.
        only_readouts: Whether no outputs but the readouts' are wanted.
        leave_out: Whether tokens that none of the robots has are left out.
    """
    task = _task(trunk, groups, order, seen, tasks)
    if trunk.config.span is not None:
        return _stream(trunk, groups, order, seen, task, only_readouts, leave_out)
    rest = _rest(order, order.steps, None)
    pieces = [[one] for one in task]
    past, real = _past(pieces, [], leave_out, task=True) if task else (None, None)
    out = trunk(groups, rest, past, only_readouts=only_readouts, leave_out=leave_out)
    if real is not None and not only_readouts:
        out = _with_outputs(out, pieces, real)
    return [Run(list(range(len(seen))), out, out.order)]


def _task(
    trunk: NativeTrunk,
    groups: Mapping[str, TokenGroup],
    order: Layout,
    seen: Sequence[Seen],
    tasks: Sequence[Key],
) -> list[Kept]:
    """The task of every robot as the trunk made it."""
    specs = tuple(group for group in order.groups.values() if group.role == "task")
    if not specs:
        return []
    places = [_of_words(one).get("task", (None, None)) for one in seen]
    new = [row for row, (key, _) in enumerate(places) if key != tasks[row]]
    if new:
        made = {s.name: _rows(groups[s.name], new) for s in specs}
        out = trunk(made, layout(specs))
        for i, row in enumerate(new):
            kept = _kept(out, i, slice(0, len(out.valid[i])), out.values[i])
            _of_words(seen[row])["task"] = (tasks[row], kept)
            places[row] = (tasks[row], kept)
    return [kept for _, kept in places]


def _stream(
    trunk: NativeTrunk,
    groups: Mapping[str, TokenGroup],
    order: Layout,
    seen: Sequence[Seen],
    task: Sequence[Kept],
    only_readouts: bool,
    leave_out: bool,
) -> list[Run]:
    """Compute the frames that are new, each with the frames that it reads in memory."""
    rest, known, todo = _rest(order, 1, trunk.config.span), [], []
    for one in seen:
        stream: dict[int, Kept] = _of_words(one).get("stream", {})
        mine = {step: stream[f] for step, f in enumerate(one.frames) if f in stream}
        last = max(mine, default=-1)
        new = [step for step, f in enumerate(one.frames) if f >= 0 and step > last]
        newest = len(one.frames) - 1  # is answered, even if it has been before
        known.append({step: kept for step, kept in mine.items() if step < newest})
        todo.append(new or [newest])
    runs = []
    while any(todo):
        alike: dict[tuple[int, tuple[tuple[int, int], ...]], list[int]] = {}
        for row, steps in enumerate(todo):
            if steps:
                sizes = tuple((s, len(known[row][s].valid)) for s in sorted(known[row]))
                alike.setdefault((steps[0], sizes), []).append(row)
        for (step, sizes), rows in alike.items():
            before = [earlier for earlier, _ in sizes]
            ages = [step - earlier for earlier in before]
            pieces = [[*task[row : row + 1], *(known[row][s] for s in before)] for row in rows]
            past, real = None, None
            if pieces[0]:
                past, real = _past(pieces, ages, leave_out, task=bool(task))
            made = {
                name: _rows(groups[name], rows, None if spec.role != "observation" else step)
                for name, spec in order.groups.items()
                if not spec.repeats
            }
            out = trunk(made, rest, past, only_readouts=only_readouts, leave_out=leave_out)
            observed = out.order.observed
            for i, row in enumerate(rows):
                outputs = out.values[i, : 0 if only_readouts else observed]
                known[row][step] = _kept(out, i, slice(0, observed), outputs)
                todo[row].pop(0)
            answered = [i for i, row in enumerate(rows) if not todo[row]]
            if answered:
                if real is not None and not only_readouts:
                    out = _with_outputs(out, pieces, real)
                runs.append(Run(rows, out, out.order).part(answered))
    for one, mine in zip(seen, known, strict=True):
        _of_words(one)["stream"] = {one.frames[step]: kept for step, kept in mine.items()}
    return runs


def _rest(order: Layout, steps: int, span: int | None) -> Layout:
    """The layout without the task, and with its last steps alone."""
    groups = tuple(
        replace(group, steps=min(group.steps, steps))
        for group in order.groups.values()
        if group.role != "task"
    )
    return layout(groups, span, task_given=True)


def _past(
    pieces: Sequence[Sequence[Kept]], ages: Sequence[int], leave_out: bool, *, task: bool
) -> tuple[Past, Tensor]:
    """What every robot remembers, its task first; they are alike in sizes and in frames' ages.

    Returns:
        All of it, or what is real for at least one of them, and which places that are.
    """
    layers = range(len(pieces[0][0].pairs))
    valid = torch.stack([torch.cat([one.valid for one in row]) for row in pieces])
    real = valid.any(0) if leave_out else torch.ones_like(valid[0])
    every = bool(real.all())

    def laid(layer: int, part: int) -> Tensor:
        rows = [torch.cat([one.pairs[layer][part] for one in row], 1) for row in pieces]
        return torch.stack([row if every else row[:, real] for row in rows])

    memory = tuple((laid(layer, 0), laid(layer, 1)) for layer in layers)
    counts = torch.tensor([len(one.valid) for one in pieces[0]])
    age = torch.tensor([*([0] if task else []), *ages]).repeat_interleave(counts)
    count = int(real[: int(counts[0])].sum()) if task else 0
    return Past(memory, valid[:, real], age.to(valid.device)[real], count), real


def _kept(out: TrunkOutput, row: int, tokens: slice, outputs: Tensor) -> Kept:
    fresh = tuple((k[row, :, tokens].clone(), v[row, :, tokens].clone()) for k, v in out.fresh)
    before = out.valid.shape[1] - (out.fresh[0][0].shape[2] if out.fresh else out.valid.shape[1])
    valid = out.valid[row, before + tokens.start : before + tokens.stop]
    return Kept(fresh, outputs.clone(), valid.clone())


def _with_outputs(out: TrunkOutput, before: Sequence[Sequence[Kept]], real: Tensor) -> TrunkOutput:
    """The outputs of what is remembered, where that is `real`, before the new ones."""
    earlier = torch.stack([torch.cat([one.outputs for one in row])[real] for row in before])
    return replace(out, values=torch.cat([earlier, out.values], 1))


def _rows(group: TokenGroup, rows: list[int], step: int | None = None) -> TokenGroup:
    values, valid = group.values[rows], group.valid[rows]
    if step is None:
        return TokenGroup(values, valid)
    return TokenGroup(values[:, step : step + 1], valid[:, step : step + 1])


def _of_words(one: Seen) -> dict[str, Any]:
    """The part of a memory that is dropped when the instruction changes."""
    found: dict[str, Any] = one.memory.setdefault("instruction", {})
    return found


def _content(inputs: Mapping[str, StreamBatch], row: int, whole: bool) -> Key:
    """What tells one robot's inputs from others; the words alone unless `whole`."""
    found: list[Any] = []
    for stream in inputs.values():
        if isinstance(stream.values, tuple):
            found += [stream.values[row], bool(stream.valid[row].any())]
        elif whole:
            raw = stream.values[row].cpu().contiguous().view(torch.uint8).numpy().tobytes()
            found += [hashlib.blake2b(raw, digest_size=16).digest(), *stream.valid[row].tolist()]
    return tuple(found)


def _picked(stream: StreamBatch, new: Sequence[tuple[int, int]], task: bool) -> StreamBatch:
    """The inputs of these (row, step), each a window of one step; a task's are whole windows."""
    rows = [row for row, _ in new]
    steps = slice(None) if task else [step for _, step in new]
    valid = stream.valid[rows, steps] if task else stream.valid[rows, steps][:, None]
    if isinstance(stream.values, tuple):
        return StreamBatch(tuple(stream.values[row] for row in rows), valid)
    values = stream.values[rows] if task else stream.values[rows, steps][:, None]
    return StreamBatch(values, valid)
