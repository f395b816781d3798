import errno
import os
from pathlib import Path
from typing import Any

import pytest

from octoverse.servers.log_file import LogFile


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def log_path(tmp_path: Path) -> Path:
    return tmp_path / "server.log"


def test_lines_are_appended_to_what_is_there(log_path: Path) -> None:
    log_path.write_text("before\n")
    file = LogFile(log_path)
    file.write("after \ud800\n")
    file.close()
    assert log_path.read_text() == "before\nafter \\ud800\n"


def test_others_may_not_read_a_log_that_is_made(log_path: Path) -> None:
    LogFile(log_path).close()
    assert log_path.stat().st_mode & 0o007 == 0


def test_its_size_is_bounded(log_path: Path) -> None:
    file = LogFile(log_path, limit_bytes=20, kept=2)
    for i in range(10):
        file.write(f"line {i:3}\n")  # nine bytes
    file.write("one line that alone is longer than the limit\n")
    file.write("the last\n")
    file.close()
    assert sorted(path.name for path in log_path.parent.iterdir()) == [
        *("server.log", "server.log.1", "server.log.2"),
    ]
    assert log_path.read_text() == "the last\n"
    assert log_path.with_name("server.log.1").read_text().startswith("one line that alone")
    assert log_path.with_name("server.log.2").read_text() == "line   8\nline   9\n"


def test_a_file_that_cannot_be_opened_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no/server\.log"):
        LogFile(tmp_path / "no" / "server.log")


def test_a_full_disk_is_said_once_and_counted(capsys: pytest.CaptureFixture[str]) -> None:
    file = LogFile(Path("/dev/full"))
    for _ in range(3):
        file.write("lost\n")
    assert file.lost == 3
    assert capsys.readouterr().err == (
        "octoverse: the log /dev/full cannot be written: No space left on device. "
        "Serving goes on.\n"
    )


def test_a_disk_with_room_again_is_tried_later(
    log_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock, write, tried = Clock(), os.write, []

    def full(file: int, data: bytes) -> int:
        tried.append(data)
        raise OSError(errno.EIO, "the disk is broken")

    file = LogFile(log_path, clock=clock)
    file.write("good\n")
    monkeypatch.setattr(os, "write", full)
    file.write("lost\n")
    clock.now = 9.9
    file.write("not even tried\n")
    clock.now = 10.0
    file.write("tried in vain\n")
    monkeypatch.setattr(os, "write", write)
    clock.now = 20.0
    file.write("good again\n")
    file.close()
    assert tried == [b"lost\n", b"tried in vain\n"]
    assert log_path.read_text() == "good\ngood again\n" and file.lost == 3
    first, second = capsys.readouterr().err.splitlines()
    assert first.endswith("cannot be written: the disk is broken. Serving goes on.")
    assert second.endswith("is written again; lines lost so far: 3.")


def test_half_a_line_is_taken_back(log_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write: Any = os.write
    file = LogFile(log_path)
    file.write("whole\n")
    monkeypatch.setattr(os, "write", lambda file, data: write(file, data[:3]))
    file.write("torn\n")
    file.close()
    assert log_path.read_text() == "whole\n" and file.lost == 1


def test_what_cannot_be_put_aside_does_not_grow(
    log_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, "not yours")

    file = LogFile(log_path, limit_bytes=10)
    file.write("12345678\n")
    monkeypatch.setattr(os, "replace", refuse)
    file.write("12345678\n")
    assert log_path.read_text() == "12345678\n" and file.lost == 1
    file.close()


def test_a_device_is_never_put_aside() -> None:
    file = LogFile(Path("/dev/null"), limit_bytes=1)
    file.write("12345678\n")
    file.write("12345678\n")
    file.close()
    assert file.lost == 0 and Path("/dev/null").is_char_device()


def test_stderr_that_is_closed_disturbs_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    with open(os.devnull, "w") as closed:
        pass
    monkeypatch.setattr("sys.stderr", closed)
    file = LogFile(Path("/dev/full"))
    file.write("lost\n")
    assert file.lost == 1
