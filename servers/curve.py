"""Let only clients whose keys are allowed talk to a socket, encrypted (CURVE)."""

import logging
from pathlib import Path
from typing import Self

import zmq
from zmq.auth.thread import ThreadAuthenticator

from octoverse.servers.allow_list import AllowList
from octoverse.servers.keys import KeyPair, need_curve, read_pair
from octoverse.wire import FaultCode

logger = logging.getLogger(__name__)

_DOMAIN = "octoverse"
NOT_ALLOWED: tuple[str, FaultCode, str] = (
    "key: expected one that is allowed, got one that was revoked.",
    "not_allowed",
    "Let it in again where the server runs: octoverse keys allow NAME.pub",
)
"""The fault that one gets who was let in and is no longer."""


class Curve:
    """A server's keys, and the clients that it lets in.

    Args:
        own: The server's pair; clients must know its public key.
        allowed: Clients that are let in.
    """

    def __init__(self, own: KeyPair, allowed: AllowList) -> None:
        self.own, self.allowed = own, allowed

    @classmethod
    def load(cls, own: Path | str, allowed: Path | str) -> Self:
        """Read the server's NAME.key and its allow-list.

        Raises:
            BadKey: if a file is none of the kind, or open to others.
        """
        return cls(read_pair(Path(own)), AllowList(Path(allowed)))

    def secure(self, socket: "zmq.Socket[bytes]") -> None:
        """Ask clients of a socket for keys; before it is bound."""
        need_curve()
        socket.curve_server = True
        socket.curve_secretkey = self.own.secret.encode()
        socket.zap_domain = _DOMAIN.encode()
        # Without it everybody would be let in if the authenticator had gone.
        socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)
        self._authenticator = ThreadAuthenticator(socket.context)
        self._authenticator.start()
        self._authenticator.configure_curve_callback(_DOMAIN, credentials_provider=self)

    def close(self) -> None:
        """Let nobody in any more; before the socket's context is closed."""
        self._authenticator.stop()

    def callback(self, domain: str, key: bytes) -> bool:
        """Say to the authenticator whether a client is let in."""
        allowed = key.decode() in self.allowed
        if not allowed:
            logger.warning("turned away a client whose key is not allowed: %s", key.decode())
        return allowed

    def peer(self, frame: zmq.Frame) -> str:
        """Whose message a frame is of: the client's public key, "" if it is not allowed."""
        key = frame.get("User-Id")
        return key if isinstance(key, str) and key in self.allowed else ""
