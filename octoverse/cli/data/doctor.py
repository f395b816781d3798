"""`octoverse data doctor`: say in words what is wrong with a data set."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from tyro.conf import arg

from octoverse import registry
from octoverse.cli.complaints import complaint
from octoverse.cli.data.naming import Root, Split, What, open_named
from octoverse.data.dataset import DataSet
from octoverse.data.doctor.looking import Look, Tell
from octoverse.data.doctor.printing import lines
from octoverse.data.doctor.runner import examine
from octoverse.errors import OctoverseError


def doctor(
    what: What,
    root: Root = "",
    split: Split = "",
    against: Annotated[
        tuple[str, ...], arg(help="Other data sets that should share no episode with it.")
    ] = (),
    episodes: Annotated[int, arg(help="Look at no more than so many, spread evenly.")] = 200,
    images: Annotated[int, arg(help="Look at about so many of each camera.")] = 100,
    everything: Annotated[bool, arg(help="Look at every episode and every image.")] = False,
    json: Annotated[bool, arg(help="Print the report as JSON.")] = False,
) -> None:
    """Say in words what is wrong with a data set, and what cannot be told from it.

    Leaves with 0 where nothing is wrong, 1 where there is a fault, 2 where it could not be read.
    """
    try:
        source = open_named(what, root, split)
        others = [open_named(other, root, "") for other in against]
        others += [open_named(what, root, other) for other in _other_splits(what, split)]
        with _progress() as tell:
            look = Look(episodes=episodes, images=images, everything=everything)
            report = examine(source, look, tell, others)
    except (OctoverseError, OSError) as error:
        print(f"octoverse: {complaint(error)}", file=sys.stderr)
        raise SystemExit(2) from error
    if json:
        print(msgspec.json.format(msgspec.json.encode(report)).decode())
    else:
        console = Console(highlight=False, markup=False, soft_wrap=True)
        for line in lines(report):
            console.print(line, style="bold" if line.isupper() else None)
    raise SystemExit(report.exit_code)


def _other_splits(what: str, split: str) -> list[str]:
    """The splits of a data set known by name, beside the one that is examined and "all"."""
    if what not in registry.names("dataset"):
        return []
    declared: DataSet = registry.load("dataset", what)
    mine = split or declared.splits[0]
    return [other for other in declared.splits if "all" not in (mine, other) and other != mine]


@contextmanager
def _progress() -> Iterator[Tell]:
    """A bar on the error stream, gone when it is done; none where that is no terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(
        *columns,
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as progress:
        task = progress.add_task("", total=None)

        def tell(what: str, done: int, total: int) -> None:
            progress.update(task, description=what, completed=done, total=total)

        yield tell
