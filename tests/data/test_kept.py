import os
import subprocess
import sys
from pathlib import Path

import pytest

from octoverse.data.kept import Kept, file_key, single


def test_what_was_asked_for_last_is_kept_up_to_the_limit() -> None:
    kept, made = Kept(5), []

    def get(key: str) -> str:
        def make() -> str:
            made.append(key)
            return key * 2

        return kept.get(key, make, len)

    asked = ("a", "b", "a", "c", "a", "b")
    assert [get(key) for key in asked] == [key * 2 for key in asked]
    assert made == ["a", "b", "c", "b"]  # room for two: b went when c came, c when b came back
    assert kept.nbytes == 4 and len(kept) == 2


def test_the_newest_is_kept_whatever_its_size() -> None:
    kept = Kept(10)
    kept.get("small", lambda: bytes(4), len)
    large = kept.get("large", lambda: bytes(100), len)
    assert kept.get("large", lambda: bytes(1), len) is large
    assert len(kept) == 1


def test_a_lower_limit_holds_from_the_next_value_on() -> None:
    kept = Kept(100)
    for key in range(10):
        kept.get(key, lambda: bytes(10), len)
    kept.limit = 30
    kept.get("new", lambda: bytes(10), len)
    assert kept.nbytes == 30


def test_what_cannot_be_made_is_not_kept() -> None:
    kept = Kept(2)
    with pytest.raises(ZeroDivisionError):
        kept.get(0, lambda: 1 // 0, lambda value: 1)
    assert len(kept) == 0


def test_a_forked_process_begins_with_nothing_and_waits_for_no_thread() -> None:
    script = (
        "import os\n"
        "from octoverse.data.kept import Kept\n"
        "kept = Kept(30)\n"
        "kept.get('a', lambda: 1, lambda value: 10)\n"
        "with kept._lock:\n"
        "    child = os.fork()\n"
        "    if child == 0:\n"
        "        os._exit(0 if kept.get('a', lambda: 2, lambda value: 10) == 2 else 1)\n"
        "    assert os.waitpid(child, 0)[1] == 0\n"
    )
    assert hasattr(os, "fork")
    subprocess.run([sys.executable, "-c", script], check=True, timeout=300)


def test_values_may_be_counted() -> None:
    kept = Kept(2)
    for key in range(5):
        kept.get(key, lambda: bytes(100), single)
    assert len(kept) == 2


def test_a_file_that_is_replaced_has_another_key(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"one")
    before = file_key(path)
    path.write_bytes(b"three")
    assert file_key(path) != before
