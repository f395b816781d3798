import re
import stat
from pathlib import Path

import pytest
import zmq

from octoverse.errors import BadKey
from octoverse.servers.keys import ClientKeys, keys_folder, make_pair, read_pair, read_public


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_pair_is_written_for_its_owner_and_read_again(tmp_path: Path) -> None:
    secret_file, public_file = make_pair("arm-7", tmp_path / "new" / "folder")
    assert (mode(secret_file), mode(public_file)) == (0o600, 0o644)
    assert mode(tmp_path / "new" / "folder") == 0o700
    pair, public = read_pair(secret_file), read_public(public_file)
    assert (pair.name, pair.public) == (public.name, public.key) == ("arm-7", public.key)
    assert zmq.curve_public(pair.secret.encode()).decode() == public.key
    assert secret_file.read_text().startswith("# Secret: for arm-7 alone.\n")
    assert pair.secret not in public_file.read_text()


def test_a_secret_is_not_shown_by_chance(tmp_path: Path) -> None:
    pair = read_pair(make_pair("arm", tmp_path)[0])
    assert pair.secret not in repr(pair)
    assert pair.secret not in repr(ClientKeys(pair, pair.public))


def test_it_never_overwrites_a_key(tmp_path: Path) -> None:
    secret_file, _ = make_pair("arm", tmp_path)
    before = secret_file.read_text()
    with pytest.raises(BadKey, match=r"arm\.key: expected a new name, found a key of that name"):
        make_pair("arm", tmp_path)
    assert secret_file.read_text() == before
    secret_file.unlink()
    with pytest.raises(BadKey, match=r"arm\.pub: expected a new name"):
        make_pair("arm", tmp_path)
    assert not secret_file.exists()


@pytest.mark.parametrize("name", ["", "../arm", "a/b", ".hidden", "arm 7", "a" * 64, 'a"', "ärm"])
def test_a_name_that_could_lead_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadKey, match=re.escape(f"the first a letter or digit, got {name!r}")):
        make_pair(name, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("others", [0o640, 0o604, 0o644, 0o610])
def test_a_secret_that_others_can_read_is_refused_with_the_cure(
    tmp_path: Path, others: int
) -> None:
    path, _ = make_pair("arm", tmp_path)
    path.chmod(others)
    words = f"that only its owner can read, got mode {others:o}. Run: chmod 600 {path}"
    with pytest.raises(BadKey, match=re.escape(words)):
        read_pair(path)
    path.chmod(0o400)
    read_pair(path)


@pytest.mark.parametrize("others", [0o664, 0o646])
def test_a_public_key_that_others_could_exchange_is_refused(tmp_path: Path, others: int) -> None:
    _, path = make_pair("server", tmp_path)
    path.chmod(others)
    with pytest.raises(BadKey, match=re.escape(f"got mode {others:o}. Run: chmod go-w {path}")):
        read_public(path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "found none in it"),
        ("secret", "expected a secret key (see `octoverse keys new`), got: Expected"),
        ('secret = "short"', "arm.key, public: expected a key of 40 characters"),
        ('name = "arm"\nsecret = 7\npublic = ""', "expected a key of 40 characters"),
        (
            f'name = "arm"\npublic = "{"a" * 40}"\nsecret = "{"b" * 39}"',
            "arm.key, secret: expected a key of 40 characters, as in NAME.pub",
        ),
        (
            f'name = "arm"\npublic = "{"a" * 40}"\nsecret = "{"b" * 40}"',
            "expected a pair, got a public key of another secret one",
        ),
        (
            f'name = "arm"\npublic = "{"a" * 40}"\nsecret = "{"#" * 40}"',
            "expected a secret key, got one that is none",
        ),
        (f'name = "../arm"\npublic = "{"a" * 40}"\nsecret = "{"b" * 40}"', "got '../arm'"),
    ],
)
def test_a_file_that_holds_no_pair_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "arm.key"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(BadKey, match=re.escape(words)):
        read_pair(path)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadKey, match=r"arm\.key: expected a secret key .*, got: No such file"):
        read_pair(tmp_path / "arm.key")
    (tmp_path / "arm.key").write_bytes(b"\xff\x00")
    with pytest.raises(BadKey, match=r"arm\.key: expected a secret key .*, got: .*utf-8"):
        read_pair(tmp_path / "arm.key")


def test_a_secret_key_in_the_place_of_a_public_one_is_refused(tmp_path: Path) -> None:
    secret_file, public_file = make_pair("arm", tmp_path)
    with pytest.raises(BadKey, match="It is for its owner alone: do not hand it to anybody"):
        read_public(secret_file)
    with pytest.raises(BadKey, match="expected a secret key, found none in it"):
        read_pair(public_file)


def test_keys_lie_where_the_user_keeps_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert keys_folder() == tmp_path / "octoverse/keys"
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert keys_folder() == tmp_path / ".config/octoverse/keys"


def test_a_client_s_socket_gets_its_keys(tmp_path: Path) -> None:
    own, _ = make_pair("arm", tmp_path)
    _, server = make_pair("server", tmp_path)
    client = ClientKeys.load(str(own), server)
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        client.secure(socket)
        assert socket.getsockopt(zmq.MECHANISM) == zmq.CURVE
    assert client.server == read_public(server).key
    assert client.own.secret == read_pair(own).secret


def test_a_zeromq_that_cannot_encrypt_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zmq, "has", lambda capability: capability != "curve")
    with pytest.raises(BadKey, match=r"built without\. Install the one that comes with pyzmq"):
        make_pair("arm", tmp_path)
    assert not list(tmp_path.iterdir())
