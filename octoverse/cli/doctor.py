"""`octoverse data doctor`: say in words what is wrong with a data set."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from tyro.conf import Positional, arg

from octoverse import registry
from octoverse.cli.complaints import complaint
from octoverse.cli.data import open_folder
from octoverse.data.dataset import DataSet, open_data
from octoverse.data.doctor.looking import Look, Tell
from octoverse.data.doctor.printing import lines
from octoverse.data.doctor.runner import examine
from octoverse.data.source import Source
from octoverse.errors import OctoverseError


def doctor(
    what: Annotated[Positional[str], arg(metavar="NAME_OR_FOLDER", help="The data set.")],
    root: Annotated[str, arg(help="Below it lie data sets known by name.", metavar="FOLDER")] = "",
    split: Annotated[str, arg(help="Which part; the first one unless given.")] = "",
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
        source = _open(what, root, split)
        others = [_open(other, root, "") for other in against]
        others += [_open(what, root, other) for other in _other_splits(what, split)]
        with _progress() as tell:
            look = Look(episodes=episodes, images=images, everything=everything)
            report = examine(source, look, tell, others)
    except OctoverseError as error:
        print(f"octoverse: {complaint(error)}", file=sys.stderr)
        raise SystemExit(2) from error
    if json:
        print(msgspec.json.format(msgspec.json.encode(report)).decode())
    else:
        console = Console(highlight=False, markup=False, soft_wrap=True)
        for line in lines(report):
            console.print(line, style="bold" if line.isupper() else None)
    raise SystemExit(report.exit_code)


def _open(what: str, root: str, split: str) -> Source:
    if what in registry.names("dataset"):
        return open_data(what, root or ".", split)
    return open_folder(Path(what))


def _other_splits(what: str, split: str) -> list[str]:
    """The splits that a declared data set has beside the one that is examined."""
    if what not in registry.names("dataset"):
        return []
    declared: DataSet = registry.load("dataset", what)
    return [other for other in declared.splits if other != (split or declared.splits[0])]


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
