"""What the file of a frontend says: which body, where, and which of a client's keys is what."""

import hmac
import re
from typing import Annotated

import msgspec
from msgspec import Meta

from octoverse.errors import ServerError

_HOST_AND_PORT = re.compile(r"(?P<host>[^:/\s]+):(?P<port>\d{1,5})")
_LOOPBACK = re.compile(r"localhost|127(\.\d{1,3}){3}")
Parts = str | tuple[str, ...]
"""Names, each perhaps with a range of its numbers as in "state[0:7]", laid behind each other."""


class Opening(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the client's number is when a gripper is open, and when it is closed."""

    open: float
    closed: float

    def __post_init__(self) -> None:
        if self.open == self.closed:
            raise ValueError(f"open and closed must differ, both are {self.open}")


class Grippers(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Grippers whose numbers are not 1 = open, 0 = closed, as "stream.number"."""

    observation: dict[str, Opening] = {}
    action: dict[str, Opening] = {}


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which body a frontend serves, where, and which of the client's keys is what."""

    frontend: str
    """Its entry point in `octoverse.servers`."""
    body: str
    address: str
    """HOST:PORT; port 0 picks a free one."""
    observation: dict[str, Parts]
    """Stream of the body to what it is made of: keys of the client."""
    action: dict[str, Parts]
    """Key of the client to what it is made of: action groups of the body."""
    words: dict[str, str] = {}
    """Instruction stream to what it says where the client says nothing."""
    grippers: Grippers = Grippers()
    ignored: tuple[str, ...] = ()
    """Keys of the client that nobody reads."""
    withheld: tuple[str, ...] = ()
    """Action groups that the client is not sent."""
    api_keys: tuple[Annotated[str, Meta(min_length=16)], ...] = ()
    """One of them is asked of every client; without any, only this machine is served."""

    @property
    def place(self) -> tuple[str, int]:
        """Host and port to listen at.

        Raises:
            ServerError: unless they are sound, and within this machine where there are no keys.
        """
        match = _HOST_AND_PORT.fullmatch(self.address)
        if match is None or int(match["port"]) > 65535:
            raise ServerError(f"address: expected HOST:PORT, got {self.address}.")
        if not self.api_keys and not _LOOPBACK.fullmatch(match["host"]):
            raise ServerError(
                f"address: expected this machine's loopback (127.0.0.1:PORT), got {self.address}. "
                "Name `api_keys` to serve other machines."
            )
        return match["host"].replace("localhost", "127.0.0.1"), int(match["port"])

    def admits(self, key: str) -> bool:
        """Whether this key, "" for none, may use the frontend; takes as long for any wrong one."""
        return not self.api_keys or any(
            [hmac.compare_digest(key.encode(), known.encode()) for known in self.api_keys]
        )
