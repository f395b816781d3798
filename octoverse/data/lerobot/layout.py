"""Where the episodes of a LeRobot folder lie, whatever its version."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from octoverse.data.lerobot import format as form
from octoverse.data.lerobot.layout_v2 import LayoutV2
from octoverse.data.lerobot.layout_v3 import LayoutV3
from octoverse.data.lerobot.metadata import Clip, Row, Span


class Layout(Protocol):
    """How one version lays out a folder."""

    def episodes(self, with_stats: bool = False) -> list[Row]:
        """Every episode, by number."""
        ...

    def tasks(self) -> Mapping[int, str]:
        """Instructions by task_index."""
        ...

    def span(self, row: Row) -> Span:
        """Where the rows of an episode lie."""
        ...

    def clip(self, row: Row, feature: str) -> Clip:
        """Where the frames of one camera of an episode lie."""
        ...


def layout_of(folder: Path, info: form.Info) -> Layout:
    """The layout of a folder by its version."""
    kind = LayoutV3 if info.codebase_version == form.VERSION else LayoutV2
    return kind(folder=folder, info=info)


def digest(layout: Layout, rows: Sequence[Row], told: object) -> str:
    """Hash of what is told of episodes and of the sizes of their data files."""
    found = hashlib.sha256(msgspec.json.encode(told, order="deterministic"))
    sizes: dict[Path, int] = {}
    for row in rows:
        path = layout.span(row).path
        if path not in sizes:
            sizes[path] = path.stat().st_size if path.exists() else -1
        found.update(msgspec.json.encode([row.number, row.length, row.fields, sizes[path]]))
    return found.hexdigest()[:16]
