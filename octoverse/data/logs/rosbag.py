"""Read ROS 2 bags and MCAP files: which topic is what is declared.

Times are those in the messages' headers unless the declaration says otherwise; messages without a
header have that of their recording. A bag is gone through once, a message at a time, and its
numbers are kept; images are read when they are indexed. Lens distortion is not told on: declare
topics with rectified images.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from octoverse.data.logs.drive import Drive
from octoverse.data.logs.files import fingerprint_of
from octoverse.data.logs.ros_bag import RosBag
from octoverse.data.logs.ros_reading import BagReading
from octoverse.data.logs.ros_topics import Topics
from octoverse.errors import BadData, UnknownName


@dataclass(frozen=True, kw_only=True)
class RosbagReader:
    """Bags that are declared alike."""

    path: Path
    """A bag (a folder with metadata.yaml, a .mcap or .db3 file), or a folder of bags."""
    topics: Topics

    def keys(self) -> Sequence[str]:
        """Names of the bags."""
        return list(self._bags)

    def drive(self, key: str) -> Drive:
        """Read one bag.

        Raises:
            UnknownName: if it lacks a topic that is declared.
            BadData: if it is damaged.
        """
        if key not in self._bags:
            raise UnknownName(f"bag in {self.path}", key, self._bags)
        if key not in self._drives:
            self._drives[key] = BagReading(self._bags[key], self.topics).drive(key)
        return self._drives[key]

    def fingerprint(self) -> str:
        """Hash of the bags and of what their topics are declared to be."""
        files = [
            file
            for bag in self._bags.values()
            for file in (bag.path.iterdir() if bag.path.is_dir() else [bag.path])
            if file.is_file()
        ]
        told = f"{fingerprint_of(Path(self.path).parent, files)} {self.topics}"
        return hashlib.sha256(told.encode()).hexdigest()[:16]

    @cached_property
    def _drives(self) -> dict[str, Drive]:
        return {}

    @cached_property
    def _bags(self) -> dict[str, RosBag]:
        return bags_in(Path(self.path))


def bags_in(path: Path) -> dict[str, RosBag]:
    """A bag, or those in a folder, by name.

    Raises:
        BadData: if there are none.
    """
    found = [path] if _is_bag(path) else sorted(filter(_is_bag, path.glob("*")))
    if not found:
        raise BadData(
            f"{path}: expected a ROS 2 bag (a folder with metadata.yaml, a .mcap or .db3 file) or "
            "a folder of bags, found none. Bags of ROS 1 are converted by rosbags-convert."
        )
    return {bag.stem if bag.is_file() else bag.name: RosBag(path=bag) for bag in found}


def _is_bag(path: Path) -> bool:
    return (path / "metadata.yaml").is_file() or (
        path.is_file() and path.suffix in (".mcap", ".db3")
    )
