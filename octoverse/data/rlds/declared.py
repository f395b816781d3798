"""Declare a data set of TFDS's RLDS form by name, and find the declaration of a folder.

The data set X of TFDS is registered as oxe/X:

    [project.entry-points."octoverse.datasets"]
    "oxe/my_robot" = "my_data.my_robot:DATA"

with DATA = DataSet(name="oxe/my_robot", open=OpenRlds(standard=MY_ROBOT), ...).
"""

from dataclasses import dataclass

from octoverse import registry
from octoverse.data.source import Source
from octoverse.data.standard import Standard
from octoverse.errors import UnknownName

_PREFIX = "oxe/"


@dataclass(frozen=True, kw_only=True)
class OpenRlds:
    """Opens a declared data set: the `open` of its DataSet."""

    standard: Standard

    def __call__(self, folder: str, split: str) -> Source:
        """Open the folder of one version."""
        from octoverse.data.rlds.source import RldsSource

        return RldsSource(folder=folder, split=split, standard=self.standard)


def standard_of(name: str) -> Standard:
    """The declaration of the data set that TFDS calls `name`.

    Raises:
        UnknownName: if no installed package declares it.
    """
    known = {
        entry.removeprefix(_PREFIX): entry
        for entry in registry.names("dataset")
        if entry.startswith(_PREFIX)
    }
    if name not in known:
        raise UnknownName("declared RLDS data set (or give a standard)", name, known)
    standard: Standard = registry.load("dataset", known[name]).open.standard
    return standard
