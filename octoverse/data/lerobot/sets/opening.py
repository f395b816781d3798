"""Open a declared LeRobot data set by one of its splits."""

from collections.abc import Mapping
from pathlib import Path

from octoverse.data.lerobot.source import LeRobotSource
from octoverse.data.source import Source
from octoverse.data.standard import Standard


def open_split(
    folder: str, split: str, *, name: str, standard: Standard, splits: Mapping[str, str]
) -> Source:
    """Open a data set's folder as one of its splits.

    Args:
        folder: Holds meta/ and data/.
        split: One of `splits`.
        name: The data set's; sources are called name/split.
        standard: How its features become the body's.
        splits: Name to a range of episodes, as in LeRobotSource.split.
    """
    return LeRobotSource(
        folder=Path(folder), label=f"{name}/{split}", split=splits[split], standard=standard
    )
