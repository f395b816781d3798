"""The clients that a server lets in: a text file of names and public keys, heeded as it changes."""

import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path

from octoverse.errors import BadKey, UnknownName
from octoverse.servers.keys import PublicKey, checked_key, checked_name, read_toml

logger = logging.getLogger(__name__)

FILE_NAME = "allowed.toml"
_LOOK_S = 0.1
"""How often the file is looked at, at most."""
_HEAD = "# Clients that may use the server: a name for people, and the key of its NAME.pub.\n"


class AllowList:
    """Knows who is let in.

    A file that is gone lets in nobody. One that has been spoilt changes nothing, and the log says
    so, until it is sound again.

    Args:
        path: The file, read at once.

    Raises:
        BadKey: if it is not there, or not sound.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._changed = _changed(path)
        self._keys = frozenset(read_allowed(path).values())
        self._due = time.monotonic() + _LOOK_S

    def __contains__(self, key: str) -> bool:
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + _LOOK_S
            self._look()
        return key in self._keys

    def __len__(self) -> int:
        return len(self._keys)

    def _look(self) -> None:
        changed = _changed(self.path)
        if changed == self._changed:
            return
        self._changed = changed
        if changed is None:
            logger.warning("%s is gone: no client is let in", self.path)
            self._keys = frozenset()
            return
        try:
            self._keys = frozenset(read_allowed(self.path).values())
        except BadKey as error:
            logger.error("%s Those who were let in before still are.", error)
        else:
            logger.info("%s has changed: %d clients are let in", self.path, len(self._keys))


def read_allowed(path: Path) -> Mapping[str, str]:
    """Read names and their keys.

    Raises:
        BadKey: if the file is not there, or not sound.
    """
    clients = read_toml(path, "an allow-list (see `octoverse keys allow`)").get("clients")
    if not isinstance(clients, dict):
        raise BadKey(f"{path}: expected an allow-list, found no [clients] in it.")
    return {
        checked_name(name): checked_key(key, f"{path}, {name}") for name, key in clients.items()
    }


def allow(path: Path, client: PublicKey) -> None:
    """Let a client in; the file is made if there is none.

    Raises:
        BadKey: if another key has this name, or the file is not sound.
    """
    clients = dict(read_allowed(path)) if path.exists() else {}
    if clients.get(client.name, client.key) != client.key:
        raise BadKey(
            f"{path}: expected a new name, found another key of '{client.name}'. Revoke that one "
            f"first: octoverse keys revoke {client.name}"
        )
    _write(path, clients | {client.name: client.key})


def revoke(path: Path, name: str) -> None:
    """Let a client in no longer.

    Raises:
        UnknownName: if none of this name is let in.
        BadKey: if the file is not sound.
    """
    clients = dict(read_allowed(path))
    if name not in clients:
        raise UnknownName("client", name, clients)
    del clients[name]
    _write(path, clients)


def _write(path: Path, clients: Mapping[str, str]) -> None:
    lines = [f'"{name}" = "{key}"\n' for name, key in sorted(clients.items())]
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    new = path.with_name(f".{path.name}.new")
    with new.open("w") as file:
        file.write("".join([_HEAD, "[clients]\n", *lines]))
        file.flush()
        os.fsync(file.fileno())
    new.chmod(0o644)
    new.replace(path)


def _changed(path: Path) -> tuple[int, int, int] | None:
    """What differs once a file has been written; None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
