"""Where a server may listen: on this machine for anybody, elsewhere for clients with keys."""

import logging
import re

import zmq

from octoverse.errors import ServerError

logger = logging.getLogger(__name__)

_ADDRESS = re.compile(r"tcp://(?P<host>[^/]+):(?P<port>\d{1,5}|\*)")
_LOOPBACK = re.compile(r"localhost|127(\.\d{1,3}){3}")


def is_loopback(address: str) -> bool:
    """Whether only this machine can reach an address."""
    match = _ADDRESS.fullmatch(address)
    return match is not None and _LOOPBACK.fullmatch(match["host"]) is not None


def checked_address(address: str, *, keys: bool = False, insecure: bool = False) -> str:
    """Give an address that a server may listen at.

    Args:
        address: As in tcp://127.0.0.1:5555; port 0 or * picks a free one.
        keys: Whether clients must have keys.
        insecure: Whether anybody may come from anywhere.

    Raises:
        ServerError: if it is no address, or others can reach it and neither is said.
    """
    if not _ADDRESS.fullmatch(address):
        raise ServerError(f"address: expected tcp://127.0.0.1:PORT, got {address}.")
    if not is_loopback(address) and not keys:
        if not insecure:
            raise ServerError(
                f"address: expected this machine's loopback (tcp://127.0.0.1:PORT) or keys, got "
                f"{address} without keys. Make them with `octoverse keys new server`, let robots "
                "in with `octoverse keys allow NAME.pub`, and serve with --keys and --allow "
                "(curve= in a program). --insecure lets anybody in, unencrypted."
            )
        logger.warning("%s: anybody who can reach it may use this server, unencrypted", address)
    return address.replace("localhost", "127.0.0.1")


def bind(socket: "zmq.Socket[bytes]", address: str) -> None:
    """Let a socket listen.

    Raises:
        ServerError: if the address is in use.
    """
    try:
        socket.bind(address)
    except zmq.ZMQError as error:
        raise ServerError(
            f"{address}: expected a free port, got: {error.strerror}. Stop the server that has it, "
            "or let tcp://127.0.0.1:0 pick a free one."
        ) from error
