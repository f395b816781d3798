import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from octoverse.cli.keys import server_keys
from octoverse.cli.main import run
from octoverse.errors import BadConfig, BadKey

Told = Callable[..., str]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return tmp_path / "octoverse/keys"


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Told:
    """Runs `octoverse keys ...` and gives what it says."""

    def ask(*words: object, code: int = 0) -> str:
        assert run(["keys", *map(str, words)]) == code
        said = capsys.readouterr()
        return said.err if code else said.out

    return ask


def test_a_robot_is_let_in_and_revoked(folder: Path, told: Told) -> None:
    said = told("new", "arm")
    assert f"{folder}/arm.key  secret: it stays with arm" in said
    assert f"{folder}/arm.pub  public: give it to those whom arm talks to" in said
    assert stat.S_IMODE((folder / "arm.key").stat().st_mode) == 0o600
    assert told("allow", folder / "arm.pub") == f"{folder}/allowed.toml: arm is let in.\n"
    assert told("list").count("  arm  ") == 2
    assert told("revoke", "arm") == f"{folder}/allowed.toml: arm is let in no longer.\n"
    assert told("list").count("  arm  ") == 1
    assert "No client named 'arm'. Known: none." in told("revoke", "arm", code=1)


def test_keys_can_lie_elsewhere(tmp_path: Path, told: Told) -> None:
    server, robot = tmp_path / "server", tmp_path / "robot"
    told("new", "server", "--folder", server)
    told("new", "arm", "--folder", robot)
    (server / "guest.pub").write_text((robot / "arm.pub").read_text())
    told("allow", robot / "arm.pub", "--folder", server)
    said = told("list", "--folder", server)
    assert f"Keys in {server}: \n" in said and "(public key only)" in said
    assert f"Let in by {server}/allowed.toml: \n" in said
    assert not (robot / "allowed.toml").exists()


def test_where_there_are_none_it_says_how_to_make_them(folder: Path, told: Told) -> None:
    said = told("list")
    assert f"Keys in {folder}: none. Make some: octoverse keys new NAME" in said
    assert f"Let in by {folder}/allowed.toml: nobody. octoverse keys allow NAME.pub" in said


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["new", "../arm"], "the first a letter or digit, got '../arm'"),
        (["new", "taken"], "taken.key: expected a new name, found a key of that name"),
        (
            ["allow", "nowhere.pub"],
            "nowhere.pub: expected a public key (NAME.pub), got: No such file",
        ),
        (["list", "--folder", "nowhere"], "nowhere: expected a folder of keys, found none"),
        (["revoke", "arm"], "allowed.toml: expected an allow-list"),
    ],
)
def test_what_cannot_be_is_said_in_words(
    folder: Path, told: Told, words: list[str], complaint: str
) -> None:
    told("new", "taken")
    assert complaint in told(*words, code=1)
    assert sorted(path.name for path in folder.iterdir()) == ["taken.key", "taken.pub"]


def test_a_secret_key_is_never_put_on_a_list(folder: Path, told: Told) -> None:
    told("new", "arm")
    assert "do not hand it to anybody" in told("allow", folder / "arm.key", code=1)
    assert not (folder / "allowed.toml").exists()


BEYOND, HERE = "tcp://0.0.0.0:0", "tcp://127.0.0.1:0"


def test_a_server_takes_the_user_s_keys_where_other_machines_can_reach_it(
    folder: Path, told: Told
) -> None:
    assert server_keys(BEYOND, None, None, False) is None  # the server itself refuses, with a cure
    told("new", "server")
    with pytest.raises(BadKey, match=r"allowed\.toml: expected an allow-list"):
        server_keys(BEYOND, None, None, False)
    told("new", "arm")
    told("allow", folder / "arm.pub")
    curve = server_keys(BEYOND, None, None, False)
    assert curve is not None and curve.own.name == "server" and len(curve.allowed) == 1
    assert server_keys(HERE, None, None, False) is None
    assert server_keys(BEYOND, None, None, True) is None


def test_a_server_takes_the_keys_that_it_is_given(tmp_path: Path, told: Told) -> None:
    elsewhere = tmp_path / "elsewhere"
    for name in ("mine", "arm"):
        told("new", name, "--folder", elsewhere)
    told("allow", elsewhere / "arm.pub", "--folder", elsewhere)
    own, allowed = elsewhere / "mine.key", elsewhere / "allowed.toml"
    curve = server_keys(HERE, own, allowed, False)
    assert curve is not None and curve.own.name == "mine" and curve.allowed.path == allowed
    with pytest.raises(BadConfig, match="--insecure lets in anybody, --keys and --allow only some"):
        server_keys(BEYOND, own, None, True)
    with pytest.raises(BadKey, match=r"server\.key: expected a secret key \(see `octoverse keys"):
        server_keys(HERE, None, allowed, False)
