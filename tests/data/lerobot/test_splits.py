from pathlib import Path

import pytest

from octoverse.data.lerobot.metadata import Row
from octoverse.data.lerobot.splits import chosen
from octoverse.errors import BadData

ROWS = [Row(number=number, length=1) for number in (20, 21, 23, 24)]


@pytest.mark.parametrize(
    ("split", "numbers"),
    [
        ("", [20, 21, 23, 24]),
        (":", [20, 21, 23, 24]),
        ("train", [20, 21, 23]),
        ("21:24", [21, 23]),
        ("22:", [23, 24]),
        (":-1", [20, 21, 23]),
        ("-2:", [23, 24]),
        ("21:-1", [21, 23]),
    ],
)
def test_ranges_are_of_episode_index_and_negative_ends_count_from_the_last(
    split: str, numbers: list[int]
) -> None:
    found = chosen(ROWS, split, {"train": "20:24"}, Path("set"))
    assert [row.number for row in found] == numbers


def test_splits_without_episodes_are_refused() -> None:
    with pytest.raises(
        BadData, match=r"in the split 'train' \(0:6\), got none: they go from 20 to"
    ):
        chosen(ROWS, "train", {"train": "0:6"}, Path("set"))
    with pytest.raises(BadData, match=r"set: expected a range such as 0:900 .*, got 'test'"):
        chosen(ROWS, "test", {"train": "20:24"}, Path("set"))
