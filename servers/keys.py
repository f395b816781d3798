"""Key files: who a server or a client is where connections are encrypted (CURVE).

NAME.key holds both keys, for its owner alone; NAME.pub holds the public one, and is given away.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import zmq

from octoverse.errors import BadKey

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
_KEY = re.compile(r"[0-9a-zA-Z.\-:+=^!/*?&<>()\[\]{}@%$#]{40}")
"""A key of 32 bytes as ZeroMQ writes it (Z85)."""
_READ_BY_OTHERS, _WRITTEN_BY_OTHERS = 0o077, 0o022


@dataclass(frozen=True)
class PublicKey:
    """What others know one by."""

    name: str
    key: str
    """40 characters of Z85."""


@dataclass(frozen=True)
class KeyPair:
    """What proves to be the one of that public key."""

    name: str
    public: str
    secret: str = field(repr=False)


@dataclass(frozen=True)
class ClientKeys:
    """What a client needs to connect to a server that asks for keys.

    Args:
        own: The client's pair; its public key is on the server's allow-list.
        server: The server's public key, so that nobody else can pass for it.
    """

    own: KeyPair
    server: str

    @classmethod
    def load(cls, own: Path | str, server: Path | str) -> Self:
        """Read them from the client's NAME.key and the server's NAME.pub.

        Raises:
            BadKey: if a file is none of the kind, or others can read the secret one.
        """
        return cls(read_pair(Path(own)), read_public(Path(server)).key)

    def secure(self, socket: "zmq.Socket[bytes]") -> None:
        """Let a socket that is not connected yet use them."""
        need_curve()
        socket.curve_publickey = self.own.public.encode()
        socket.curve_secretkey = self.own.secret.encode()
        socket.curve_serverkey = self.server.encode()


def keys_folder() -> Path:
    """Where keys lie: ~/.config/octoverse/keys, or as XDG_CONFIG_HOME says."""
    home = os.environ.get("XDG_CONFIG_HOME")
    return (Path(home) if home else Path.home() / ".config") / "octoverse" / "keys"


def make_pair(name: str, folder: Path) -> tuple[Path, Path]:
    """Make a new pair of keys.

    Returns:
        NAME.key, which its owner alone can read, and NAME.pub.

    Raises:
        BadKey: if the name is none, or taken in this folder.
    """
    checked_name(name)
    need_curve()
    secret_file, public_file = folder / f"{name}.key", folder / f"{name}.pub"
    for path in (secret_file, public_file):
        if path.exists():
            raise BadKey(f"{path}: expected a new name, found a key of that name. Take another.")
    public, secret = (key.decode() for key in zmq.curve_keypair())
    lines = f'name = "{name}"\npublic = "{public}"\n'
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    _write_new(
        secret_file, f'# Secret: for {name} alone.\n{lines}secret = "{secret}"\n', mode=0o600
    )
    _write_new(public_file, f"# Public: for those who {name} talks to.\n{lines}", mode=0o644)
    return secret_file, public_file


def read_pair(path: Path) -> KeyPair:
    """Read a NAME.key.

    Raises:
        BadKey: if it is none, or others can read it.
    """
    found = _read(path, "secret", "a secret key (see `octoverse keys new`)")
    if (mode := path.stat().st_mode) & _READ_BY_OTHERS and os.name == "posix":
        raise BadKey(
            f"{path}: expected a secret that only its owner can read, got mode {mode & 0o777:o}. "
            f"Run: chmod 600 {path}"
        )
    pair = KeyPair(found["name"], found["public"], found["secret"])
    need_curve()
    try:
        public = zmq.curve_public(pair.secret.encode()).decode()
    except zmq.ZMQError:
        raise BadKey(f"{path}: expected a secret key, got one that is none.") from None
    if public != pair.public:
        raise BadKey(f"{path}: expected a pair, got a public key of another secret one.")
    return pair


def read_public(path: Path) -> PublicKey:
    """Read a NAME.pub.

    Raises:
        BadKey: if it is none.
    """
    found = _read(path, "public", "a public key (NAME.pub)")
    if "secret" in found:
        raise BadKey(
            f"{path}: expected a public key (NAME.pub), got a secret one. It is for its owner "
            "alone: do not hand it to anybody."
        )
    return PublicKey(found["name"], found["public"])


def checked_name(name: str) -> str:
    """Give a name that can be a file's.

    Raises:
        BadKey: if it cannot.
    """
    if not _NAME.fullmatch(name):
        raise BadKey(
            f"name: expected up to 63 letters, digits, '-', '_' and '.', the first a letter or "
            f"digit, got {name!r}."
        )
    return name


def checked_key(key: object, where: str) -> str:
    """Give a key that is one.

    Raises:
        BadKey: if it is none.
    """
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        raise BadKey(f"{where}: expected a key of 40 characters, as in NAME.pub.")
    return key


def read_toml(path: Path, what: str) -> Mapping[str, Any]:
    """Read a small text file that only its owner may write.

    Raises:
        BadKey: if it is not there, not sound, or written by others.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            found = tomllib.load(file)
    except OSError as error:
        raise BadKey(f"{path}: expected {what}, got: {error.strerror}.") from error
    except ValueError as error:
        raise BadKey(f"{path}: expected {what}, got: {error}.") from error
    if mode & _WRITTEN_BY_OTHERS and os.name == "posix":
        raise BadKey(
            f"{path}: expected a file that only its owner can write, got mode {mode & 0o777:o}. "
            f"Run: chmod go-w {path}"
        )
    return found


def need_curve() -> None:
    """Make sure that this ZeroMQ can encrypt.

    Raises:
        BadKey: if it cannot.
    """
    if not zmq.has("curve"):
        raise BadKey(
            "keys: expected a ZeroMQ that can encrypt (CURVE), got one built without. Install "
            "the one that comes with pyzmq: pip install --force-reinstall pyzmq"
        )


def _read(path: Path, which: str, what: str) -> dict[str, str]:
    found = read_toml(path, what)
    if which not in found:
        raise BadKey(f"{path}: expected a {which} key, found none in it.")
    name = found.get("name")
    keys = {kind: found.get(kind) for kind in ("public", which, *(found.keys() & {"secret"}))}
    return {"name": checked_name(str(name))} | {
        kind: checked_key(key, f"{path}, {kind}") for kind, key in keys.items()
    }


def _write_new(path: Path, text: str, mode: int) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
        file.write(text)
