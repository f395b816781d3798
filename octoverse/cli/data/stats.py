"""`octoverse data stats`: the statistics that scale states and actions, as a table and a file."""

from pathlib import Path
from typing import Annotated

import msgspec
from rich.console import Console
from rich.table import Table
from tyro.conf import Positional, arg

from octoverse.cli.cache import cache_folder
from octoverse.cli.data.naming import Root, Split, open_named
from octoverse.data.lerobot.format import replace_file
from octoverse.data.source import body_of
from octoverse.data.statistics import body_statistics
from octoverse.data.weighted import weigh
from octoverse.embodiment import Embodiment, kind_of
from octoverse.normalize import BodyStatistics

_WIDE = 100
"""Columns of a terminal from which all numbers are shown."""


def stats(
    what: Annotated[
        Positional[tuple[str, ...]],
        arg(metavar="DATA [DATA ...]", help="Names of declared data sets, or folders."),
    ],
    root: Root = "",
    split: Split = "",
    out: Annotated[Path | None, arg(help="Also write them, as in a checkpoint.")] = None,
    processes: Annotated[int, arg(help="Worker processes; the numbers are the same.")] = 1,
    apart: Annotated[bool, arg(help="Also keep each data set of a body by itself.")] = False,
    cache: Annotated[
        Path | None, arg(help="Where they are kept; ~/.cache/octoverse if not given.")
    ] = None,
) -> None:
    """Gather the statistics of data sets: by body, merged by their frames.

    Near-constant numbers are guarded: they are never scaled up beyond reason. Gripper openings are
    left alone. What was gathered is kept under a hash of data and declaration, and a run that was
    stopped goes on where it was.
    """
    sources = [open_named(one, root, split) for one in what]
    found = body_statistics(
        weigh(sources, "frames"),
        cache or cache_folder() / "statistics",
        apart=apart,
        processes=processes,
        quiet=False,
    )
    console = Console(markup=False, highlight=False)
    wide = console.width >= _WIDE
    for name, statistics in found.items():
        having = [source for source in sources if source.embodiment == name]
        body = body_of(having[0])
        names = ", ".join(source.name for source in having)
        console.print(table(f"{name}: {names} ({statistics.hash})", body, statistics, wide))
        for label, one in statistics.apart.items():
            console.print(table(f"{name}: {label} alone ({one.hash})", body, one, wide))
    if out is not None:
        replace_file(out, msgspec.json.format(msgspec.json.encode(found), indent=1))
        console.print(f"Written: {out}")


def table(title: str, body: Embodiment, statistics: BodyStatistics, wide: bool) -> Table:
    """One row for each number of a body, with what is done about it.

    Args:
        title: Above it.
        body: Whose numbers.
        statistics: Of them.
        wide: Whether there is room for the smallest and the largest number, too.
    """
    parts = {"1 %": "q01", "mean": "mean", "99 %": "q99", "std": "std"}
    if wide:
        parts = {"min": "low", **parts, "max": "high"}
    shown = Table("number", "unit", title=title, title_justify="left", box=None)
    for name in parts:
        shown.add_column(name, justify="right", no_wrap=True)
    shown.add_column("scaling")
    for side in ("observation", "action"):
        spec = getattr(body, side)
        for group, stats in getattr(statistics, side).items():
            shown.add_row(f"{group} ({kind_of(spec[group])}), {stats.count:,} rows")
            names = getattr(spec[group], "names", None) or ("x", "y", "heading")
            near = stats.near_constant("normal") | stats.near_constant("quantile")
            for i, unit in enumerate(stats.units):
                numbers = (f"{getattr(stats, part)[i]:.3g}" for part in parts.values())
                note = "left alone" if stats.alone[i] else "guarded" if near[i] else ""
                shown.add_row(f"  {names[i]}", unit, *numbers, note)
    return shown
