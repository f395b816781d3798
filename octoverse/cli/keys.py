"""`octoverse keys`: keys of servers and clients, and who is let in."""

from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from octoverse.errors import BadConfig, BadKey
from octoverse.servers import allow_list
from octoverse.servers.address import is_loopback
from octoverse.servers.curve import Curve
from octoverse.servers.keys import keys_folder, make_pair, read_public

Folder = Annotated[
    Path | None, arg(help="Where keys lie; ~/.config/octoverse/keys if not given.", metavar="DIR")
]


def new(
    name: Annotated[Positional[str], arg(help="Of the server or robot that it is for.")],
    folder: Folder = None,
) -> None:
    """Make a pair of keys: NAME.key, which is secret, and NAME.pub."""
    secret_file, public_file = make_pair(name, folder or keys_folder())
    print(f"{secret_file}  secret: it stays with {name}, and only its owner can read it.")
    print(f"{public_file}  public: give it to those whom {name} talks to.")
    print(f"Where the server runs, let a robot in: octoverse keys allow {public_file.name}")


def allow(
    client: Annotated[Positional[Path], arg(help="The client's NAME.pub.")],
    folder: Folder = None,
) -> None:
    """Let a client use the server; one that runs heeds it at once."""
    path, public = _allowed(folder), read_public(client)
    allow_list.allow(path, public)
    print(f"{path}: {public.name} is let in.")


def revoke(
    name: Annotated[Positional[str], arg(help="As `octoverse keys list` shows it.")],
    folder: Folder = None,
) -> None:
    """Let a client in no longer; a server that runs refuses its next message."""
    path = _allowed(folder)
    allow_list.revoke(path, name)
    print(f"{path}: {name} is let in no longer.")


def list_keys(folder: Folder = None) -> None:
    """Show the keys that lie here, and the clients that are let in."""
    where, path = folder or keys_folder(), _allowed(folder)
    publics = [read_public(file) for file in sorted(where.glob("*.pub"))]
    print(f"Keys in {where}: {'' if publics else 'none. Make some: octoverse keys new NAME'}")
    for public in publics:
        secret = "" if (where / f"{public.name}.key").exists() else "  (public key only)"
        print(f"  {public.name:<20} {public.key}{secret}")
    clients = allow_list.read_allowed(path) if path.exists() else {}
    print(f"Let in by {path}: {'' if clients else 'nobody. octoverse keys allow NAME.pub'}")
    for name, key in clients.items():
        print(f"  {name:<20} {key}")


def server_keys(
    address: str, keys: Path | None, allowed: Path | None, insecure: bool
) -> Curve | None:
    """Find what a server at this address asks its clients for.

    Args:
        address: Where it listens.
        keys: Its NAME.key; server.key of the user's keys if other machines can reach it.
        allowed: Its allow-list; that of the user's keys if not given.
        insecure: Whether anybody may come.

    Returns:
        Nothing where no keys are asked for, or where there are none.

    Raises:
        BadConfig: if it is said to be insecure and given keys.
        BadKey: if a file is none of the kind, or open to others.
    """
    given = keys is not None or allowed is not None
    if insecure and given:
        raise BadConfig("--insecure lets in anybody, --keys and --allow only some: give either.")
    own = keys or keys_folder() / "server.key"
    if insecure or (not given and (is_loopback(address) or not own.exists())):
        return None
    return Curve.load(own, allowed or _allowed(None))


def _allowed(folder: Path | None) -> Path:
    where = folder or keys_folder()
    if folder is not None and not folder.is_dir():
        raise BadKey(f"{folder}: expected a folder of keys, found none.")
    return where / allow_list.FILE_NAME
