"""What declared driving logs have in common."""

from typing import Any, Literal, cast

from octoverse.data.logs.drive import DriveReader
from octoverse.data.logs.source import DriveSource

HELD_OUT = ("train", "val", "all")
"""Splits of a recording that its makers did not split."""


def held_out(name: str, reader: DriveReader, split: str, **settings: Any) -> DriveSource:
    """A recording of which the last part, or some drives, are held out here."""
    part = cast(Literal["all", "train", "val"], split)
    return DriveSource(reader=reader, label=f"{name}/{split}", split=part, **settings)


def as_split(name: str, reader: DriveReader, split: str) -> DriveSource:
    """Drives of one split of their makers."""
    return DriveSource(reader=reader, label=f"{name}/{split}")
