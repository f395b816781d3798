"""Data sets that are known by name: where each lies below a root, and how it is opened.

A package offers one by naming it in its pyproject.toml:

    [project.entry-points."octoverse.datasets"]
    my_drives = "my_drives.declared:MY_DRIVES"
"""

from collections.abc import Callable
from dataclasses import dataclass

from octoverse import registry
from octoverse.data.source import Source
from octoverse.data.standard import Standard
from octoverse.errors import UnknownName


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """One declared data set."""

    name: str
    """Its entry point's name."""
    embodiment: str
    """The body that it was recorded with."""
    open: Callable[[str, str], Source]
    """From its own folder (a path or any address that fsspec opens) and a split to a source."""
    folder: str
    """Where it lies below a root of data, as its distributors lay it out."""
    splits: tuple[str, ...] = ("train",)
    """The first is what is opened when none is named."""
    slices: bool = False
    """Whether a part of a split may be asked for as TFDS writes it, such as train[:90%]."""
    about: str = ""
    """One line: who made it, with what, under which licence."""
    standard: Standard | None = None
    """Where its features are one declaration for RLDS or LeRobot: that declaration."""

    def open_split(self, folder: str, split: str = "") -> Source:
        """Open the folder that it lies in; the first split where none is named.

        Raises:
            UnknownName: if it has no such split.
        """
        split = split or self.splits[0]
        named = split.partition("[")[0] if self.slices else split
        if named not in self.splits:
            raise UnknownName(f"split of '{self.name}'", named, self.splits)
        return self.open(folder, split)


def open_data(name: str, root: str, split: str = "") -> Source:
    """Open a declared data set that lies below a root as its distributors lay it out.

    Raises:
        UnknownName: if no installed package declares it, or it has no such split.
    """
    declared: DataSet = registry.load("dataset", name)
    return declared.open_split(f"{str(root).rstrip('/')}/{declared.folder}", split)
