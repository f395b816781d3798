from pathlib import Path

import pytest

from octoverse.data.lerobot.held import Held, file_key


def test_what_was_asked_for_last_is_kept_up_to_the_limit() -> None:
    made: list[str] = []

    def make(key: str) -> str:
        made.append(key)
        return key * 2

    held = Held(make, limit=5, size=len)
    assert [held.get(key) for key in ("a", "b", "a", "c", "a", "b")] == [
        *("aa", "bb", "aa", "cc", "aa", "bb"),
    ]
    assert made == ["a", "b", "c", "b"]  # room for two: b went when c came, c when b came back
    assert held.held == 4 and len(held) == 2


def test_the_newest_is_kept_whatever_its_size() -> None:
    held: Held[int, bytes] = Held(bytes, limit=10, size=len)
    held.get(4)
    assert held.get(100) is held.get(100)
    assert len(held) == 1


def test_what_cannot_be_made_is_not_kept() -> None:
    def make(key: int) -> int:
        return 1 // key

    held = Held(make, limit=2)
    with pytest.raises(ZeroDivisionError):
        held.get(0)
    assert len(held) == 0 and held.get(1) == 1


def test_a_file_that_is_replaced_has_another_key(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"one")
    before = file_key(path)
    path.write_bytes(b"three")
    assert file_key(path) != before
