"""Where the command line keeps what is found out about data, for the next time."""

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

from octoverse.data.source import Source
from octoverse.data.weighted import Weighted


def cache_folder() -> Path:
    """The user's cache: ~/.cache/octoverse, or as XDG_CACHE_HOME says."""
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "octoverse"


def remembering(source: Source) -> Source:
    """The same source; one that can keep an index does so in the user's cache."""
    if getattr(source, "cache", source) is not None or not dataclasses.is_dataclass(source):
        return source
    return dataclasses.replace(source, cache=cache_folder() / "indices")


def all_remembering(entries: Sequence[Weighted]) -> list[Weighted]:
    """The same of every source of a mixture."""
    return [dataclasses.replace(one, source=remembering(one.source)) for one in entries]
