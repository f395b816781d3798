"""Mixtures that are known by name: which data sets, and how often each of their frames is drawn.

A package offers one by naming it in its pyproject.toml:

    [project.entry-points."octoverse.mixtures"]
    my_soup = "my_robots.mixtures:MY_SOUP"
"""

from dataclasses import dataclass

import fsspec

from octoverse import registry
from octoverse.data.dataset import DataSet
from octoverse.data.weighted import Weighted, weigh
from octoverse.errors import BadConfig, BadData


@dataclass(frozen=True, kw_only=True)
class NamedMixture:
    """Data sets by name, each with a factor that its number of frames is multiplied by."""

    name: str
    """Its entry point's name."""
    factors: tuple[tuple[str, float], ...]
    """Entry point of a data set, and how often its frames are drawn compared with others'."""
    about: str = ""
    """One line: who mixed it."""

    def __post_init__(self) -> None:
        names = [name for name, _ in self.factors]
        twice = sorted({name for name in names if names.count(name) > 1})
        if not names or twice:
            raise BadConfig(
                f"The mixture '{self.name}' must name data sets, each once, got "
                f"{'none' if not names else ', '.join(twice) + ' twice'}."
            )


def open_mixture(name: str, root: str) -> list[Weighted]:
    """Open the data sets of a mixture, which lie below a root as their distributors lay them out.

    Each is opened with its first split. Its weight is the number of its frames times its factor.

    Raises:
        UnknownName: if no installed package declares the mixture or one of its data sets.
        BadData: if folders of data sets are missing; all of them are named.
    """
    mixture: NamedMixture = registry.load("mixture", name)
    root = str(root).rstrip("/")
    declared: list[DataSet] = [registry.load("dataset", each) for each, _ in mixture.factors]
    missing = [one.folder for one in declared if not _is_there(f"{root}/{one.folder}")]
    if missing:
        raise BadData(
            f"{root}: expected the {len(declared)} data sets of the mixture '{name}', found no "
            f"{', no '.join(missing)}. Copy them there, or declare a mixture of those you have."
        )
    sources = [one.open_split(f"{root}/{one.folder}") for one in declared]
    return weigh(sources, "frames", [factor for _, factor in mixture.factors])


def _is_there(folder: str) -> bool:
    system, path = fsspec.core.url_to_fs(folder)
    # Not every address can be listed, and then only files are known to be there.
    return bool(system.exists(path) or system.exists(f"{path}/dataset_info.json"))
