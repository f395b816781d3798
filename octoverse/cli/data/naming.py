"""How every `octoverse data` command is told which data it is about."""

import os
from typing import Annotated

from tyro.conf import Positional, arg

from octoverse.cli.cache import remembering
from octoverse.data.opening import open_source
from octoverse.data.source import Source
from octoverse.errors import BadData

What = Annotated[
    Positional[str],
    arg(metavar="DATA", help="Name of a declared data set, or a folder of a kind that is known."),
]
Root = Annotated[
    str, arg(help="Below it lie declared data sets; OCTOVERSE_DATA if not given.", metavar="FOLDER")
]
Split = Annotated[str, arg(help="Which part, such as train or val.", metavar="NAME")]


def open_named(what: str, root: str, split: str) -> Source:
    """Open what a command line names, and refuse a data set without episodes.

    Raises:
        UnknownName, BadConfig, BadData: as `open_source`; BadData if there is no episode.
    """
    source = remembering(open_source(what, root_of(root), split))
    if not len(source):
        raise BadData(
            f"{what}: the data set has no episode. Record or fetch some, or name another split."
        )
    return source


def root_of(given: str) -> str:
    """The root of data sets: as given, or from the environment."""
    return given or os.environ.get("OCTOVERSE_DATA", "")
