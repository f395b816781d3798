"""Declare a data set of Open X-Embodiment: a TFDS folder, its name and its `Standard`.

Source: Open X-Embodiment Collaboration, "Open X-Embodiment: Robotic Learning Datasets and RT-X
Models", 2023; its data set overview for control rates; TensorFlow Datasets' catalogue for
features, their shapes and what their makers wrote about them.
"""

from functools import partial

from octoverse import registry
from octoverse.data.dataset import DataSet
from octoverse.data.source import Source
from octoverse.data.standard import Standard

WORDS = {"instruction": "steps/observation/natural_language_instruction"}
"""Where the data sets that Google converted have their instruction."""
CONVERTED_WORDS = {"instruction": "steps/language_instruction"}
"""Where those that were converted elsewhere have it."""


def oxe(
    name: str,
    standard: Standard,
    *,
    about: str,
    version: str = "0.1.0",
    splits: tuple[str, ...] = ("train",),
    folder: str = "",
) -> DataSet:
    """A data set that lies in `name`/`version`, as in the public bucket.

    Args:
        name: As TFDS calls it.
        standard: Its features in the conventions of a body.
        about: One line: who made it, with what.
        version: Of its folder.
        splits: That it has.
        folder: In place of `name`/`version`.
    """
    return DataSet(
        name=f"oxe/{name}",
        embodiment=standard.embodiment,
        open=partial(open_rlds, standard),
        folder=folder or f"{name}/{version}",
        splits=splits,
        slices=True,
        about=about,
        standard=standard,
    )


def open_rlds(standard: Standard, folder: str, split: str) -> Source:
    """Open a TFDS folder by its declaration."""
    source: Source = registry.load("source", "rlds")(folder=folder, split=split, standard=standard)
    return source
