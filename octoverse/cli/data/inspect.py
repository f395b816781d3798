"""`octoverse data inspect`: say what a data set holds, and what it lacks."""

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from rich.console import Console
from rich.table import Table
from tyro.conf import arg

from octoverse.cli.data.naming import Root, Split, What, open_named
from octoverse.data.opening import guess_at
from octoverse.data.source import Source, body_of
from octoverse.data.survey import Seen, Survey, spread, survey
from octoverse.embodiment import Embodiment, Instruction, kind_of

_REGULAR = 0.1
"""Intervals within this share of their mean are regular."""
_NAMES = 4
"""Names of numbers shown."""
_SHOWN = 4
"""Instructions shown."""


def inspect(
    what: What,
    root: Root = "",
    split: Split = "",
    episodes: Annotated[int, arg(help="Look at so many, evenly spread; 0 for all.")] = 50,
) -> None:
    """Say what a data set holds: streams, rates, counts, instructions; and what it lacks.

    Of a LeRobot or RLDS folder that is not declared, its features are listed, with a guess at a
    body and a declaration to correct.
    """
    console = Console(markup=False, highlight=False)
    guessed = guess_at(what)
    if guessed:
        console.print(guessed, soft_wrap=True)
        return
    source = open_named(what, root, split)
    body, lengths = body_of(source), source.lengths()
    looked = range(len(source)) if episodes < 1 else spread(len(source), episodes)
    found = survey(source, looked)
    console.print(_counts(source, body, lengths))
    console.print(_clock(body, found))
    console.print(_streams(body, found))
    for line in (*_words(found), *_beside(found)):
        console.print(line)
    if len(looked) < len(source):
        console.print(
            f"Looked at {len(looked)} of {len(source)} episodes; --episodes 0 looks at all.",
        )


def _counts(source: Source, body: Embodiment, lengths: np.ndarray) -> str:
    seconds = int(lengths.sum()) / body.control_hz
    time = f"{seconds / 60:.1f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"
    return (
        f"{source.name}: {_many(len(source), 'episode')} of '{body.name}', "
        f"{lengths.sum():,} steps ({time} at {body.control_hz:g} Hz); "
        f"{lengths.min()} to {lengths.max()} steps each, {np.median(lengths):g} in the middle."
    )


def _clock(body: Embodiment, found: Survey) -> str:
    if not found.intervals or not found.duration_ns:
        return "Clock: cannot be told from episodes of one step."
    mean = found.duration_ns / found.intervals
    rate = 1e9 / mean
    off = max(found.longest_ns - mean, mean - found.shortest_ns) / mean
    regular = "regular" if off < _REGULAR else "irregular"
    words = f"Clock: {rate:.4g} Hz, {regular}: steps of {found.shortest_ns / 1e6:.4g}"
    words += f" to {found.longest_ns / 1e6:.4g} ms."
    if abs(rate / body.control_hz - 1) > _REGULAR:
        words += f" The body is declared at {body.control_hz:g} Hz."
    return words


def _streams(body: Embodiment, found: Survey) -> Table:
    table = Table("stream", "what", "in the data", "valid")
    for side in ("observation", "action"):
        seen, spec = getattr(found, side), getattr(body, side)
        for name, part in spec.items():
            kind = f"{kind_of(part)} (action)" if side == "action" else kind_of(part)
            if name not in seen:
                table.add_row(name, kind, "absent", "")
                continue
            share = seen[name].valid / max(seen[name].steps, 1)
            table.add_row(name, kind, _held(seen[name], part, found), f"{100 * share:.4g} %")
        table.add_section()
    return table


def _held(seen: Seen, part: object, found: Survey) -> str:
    words = "; ".join(
        kind if count == seen.episodes else f"{kind} ({_many(count, 'episode')})"
        for kind, count in seen.pictures.items()
    )
    if not words:
        names = getattr(part, "names", ())
        words = "text" if isinstance(part, Instruction) else _listed(names) or str(seen.shape)
    lacking = found.episodes - seen.episodes
    return words + (f"; absent in {_many(lacking, 'episode')}" if lacking else "")


def _listed(names: Sequence[str]) -> str:
    few = ", ".join(names[:_NAMES])
    return few if len(names) <= _NAMES else f"{few}, ... ({len(names)} numbers)"


def _words(found: Survey) -> list[str]:
    lines = []
    for name, said in found.words.items():
        words = sorted((word for word in said if word), key=lambda word: (-said[word], word))
        shown = "; ".join(words[:_SHOWN]) + (" ..." if len(words) > _SHOWN else "")
        empty = f" {_many(said[''], 'episode')} without." if "" in said else ""
        lines.append(f"{name}: {len(words)} different: {shown.rstrip('.')}.{empty}")
    return lines


def _beside(found: Survey) -> list[str]:
    lines = []
    for name, count in found.calibrated.items():
        lines.append(f"Calibration of {name} in {_many(count, 'episode')}.")
    if found.tracked:
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(found.kinds.items()))
        lines.append(f"Other agents: {found.tracked:,} boxes ({kinds}).")
    if found.questions:
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(found.questions.items()))
        lines.append(f"Questions with answers: {kinds}.")
    return lines


def _many(count: int, thing: str) -> str:
    return f"{count:,} {thing}{'s' if count != 1 else ''}"
