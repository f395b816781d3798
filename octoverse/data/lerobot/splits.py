"""Which episodes a split has."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from octoverse.data.lerobot import format as form
from octoverse.data.lerobot.metadata import Row
from octoverse.errors import BadData

_RANGE = re.compile(r"(-?\d+)?:(-?\d+)?")


def chosen(rows: Sequence[Row], split: str, known: Mapping[str, str], folder: Path) -> list[Row]:
    """The episodes of a split, by number.

    Args:
        rows: All episodes, by number.
        split: A name in `known`, or a range: of episode_index, where negative ends count from the
            last episode as Python's do. Empty for all.
        known: meta/info.json's splits.
        folder: Named in errors.

    Raises:
        BadData: if there is no such split, or no episode in it.
    """
    if not rows:
        raise BadData(f"{folder}: expected at least one episode, the data set is empty.")
    text = known.get(split, split) or ":"
    match = _RANGE.fullmatch(text)
    if match is None:
        raise BadData(
            f"{folder}: expected a range such as 0:900 or a split of {form.INFO} "
            f"({', '.join(known) or 'it has none'}), got '{split}'."
        )
    start, stop = (int(end) if end else None for end in match.groups())
    found = [
        row
        for place, row in enumerate(rows)
        if (start is None or _reaches(row, place - len(rows), start))
        and (stop is None or not _reaches(row, place - len(rows), stop))
    ]
    if not found:
        raise BadData(
            f"{folder}: expected episodes in the split '{split}' ({text}), got none: they go from "
            f"{rows[0].number} to {rows[-1].number}."
        )
    return found


def _reaches(row: Row, from_last: int, end: int) -> bool:
    return (from_last if end < 0 else row.number) >= end
