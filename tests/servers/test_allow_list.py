import logging
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from octoverse.errors import BadKey, UnknownName
from octoverse.servers import allow_list
from octoverse.servers.allow_list import AllowList, allow, read_allowed, revoke
from octoverse.servers.keys import PublicKey

ARM, CAR = PublicKey("arm", "a" * 40), PublicKey("car-1.2", "!#$%&<>()[]{}@" + "b" * 26)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "server" / "allowed.toml"
    allow(path, ARM)
    allow(path, CAR)
    return path


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Passes the time of the list."""
    now = [1000.0]
    monkeypatch.setattr("octoverse.servers.allow_list.time.monotonic", lambda: now[0])
    return lambda seconds: now.__setitem__(0, now[0] + seconds)


def test_clients_are_written_with_their_names_and_read_again(path: Path) -> None:
    assert read_allowed(path) == {"arm": ARM.key, "car-1.2": CAR.key}
    assert path.read_text().splitlines()[1:3] == ["[clients]", f'"arm" = "{ARM.key}"']
    assert [file.name for file in path.parent.iterdir()] == ["allowed.toml"]


def test_allowing_twice_changes_nothing_and_another_key_of_a_name_is_refused(path: Path) -> None:
    before = path.read_text()
    allow(path, ARM)
    assert path.read_text() == before
    with pytest.raises(BadKey, match=r"found another key of 'arm'.*octoverse keys revoke arm"):
        allow(path, PublicKey("arm", "c" * 40))
    assert path.read_text() == before


def test_one_who_is_revoked_is_gone(path: Path) -> None:
    revoke(path, "arm")
    assert read_allowed(path) == {"car-1.2": CAR.key}
    with pytest.raises(UnknownName, match=r"No client named 'arm'\. Known: car-1.2"):
        revoke(path, "arm")


def test_it_knows_who_is_let_in_and_heeds_changes(
    path: Path, clock: Callable[[float], None], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    allowed = AllowList(path)
    assert ARM.key in allowed and CAR.key in allowed
    assert "" not in allowed and "x" * 40 not in allowed
    revoke(path, "arm")
    clock(0.2)
    assert ARM.key not in allowed and CAR.key in allowed
    assert "allowed.toml has changed: 1 clients are let in" in caplog.text
    allow(path, ARM)
    clock(0.2)
    assert ARM.key in allowed


def test_the_file_is_not_looked_at_for_every_message(
    path: Path, clock: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    allowed, looks = AllowList(path), list[Path]()
    changed = allow_list._changed

    def look(path: Path) -> tuple[int, int, int] | None:
        looks.append(path)
        return changed(path)

    monkeypatch.setattr(allow_list, "_changed", look)
    for _ in range(1000):
        assert ARM.key in allowed
    assert not looks
    clock(0.2)
    for _ in range(1000):
        assert ARM.key in allowed
    assert len(looks) == 1


def test_a_list_that_is_gone_lets_in_nobody(
    path: Path, clock: Callable[[float], None], caplog: pytest.LogCaptureFixture
) -> None:
    allowed = AllowList(path)
    path.unlink()
    clock(0.2)
    assert ARM.key not in allowed
    assert "allowed.toml is gone: no client is let in" in caplog.text


def test_a_list_that_was_spoilt_changes_nothing_and_is_complained_of_once(
    path: Path, clock: Callable[[float], None], caplog: pytest.LogCaptureFixture
) -> None:
    allowed, sound = AllowList(path), path.read_text()
    path.write_text("[clients")
    for _ in range(3):
        clock(0.2)
        assert ARM.key in allowed
    assert caplog.text.count("Those who were let in before still are.") == 1
    path.write_text(sound)
    revoke(path, "arm")
    clock(0.2)
    assert ARM.key not in allowed


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "expected an allow-list, found no [clients] in it"),
        ("clients = 7", "expected an allow-list, found no [clients] in it"),
        ("[clients]\narm = 7", "arm: expected a key of 40 characters"),
        ('[clients]\n"../arm" = "x"', "got '../arm'"),
        ("[clients", "expected an allow-list (see `octoverse keys allow`), got: Expected"),
    ],
)
def test_a_file_that_is_no_list_is_refused(path: Path, text: str, words: str) -> None:
    path.write_text(text)
    with pytest.raises(BadKey, match=re.escape(words)):
        AllowList(path)


def test_a_list_that_is_not_there_or_that_others_may_write_is_refused(path: Path) -> None:
    path.chmod(0o666)
    with pytest.raises(BadKey, match=r"got mode 666\. Run: chmod go-w .*allowed.toml"):
        AllowList(path)
    path.unlink()
    with pytest.raises(BadKey, match=r"got: No such file or directory"):
        AllowList(path)
