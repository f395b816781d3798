"""Every error octoverse raises on purpose.

- OctoverseError
  - UnknownName: a name that nothing installed or configured provides
  - SpecMismatch: data that does not fit the embodiment's spec
  - BadConfig: settings that contradict each other or the data
  - BadData: a data folder or file that cannot be read as what it claims to be
  - BadCheckpoint: a checkpoint folder that is incomplete, damaged or of another version
  - BadKey: a file of keys that is damaged, misplaced or open to others
  - MissingExtra: an optional package that this feature needs
  - BadMessage: bytes that are not a message of the server's protocol
  - ServerError: the policy server could not be started
  - RemoteError: the policy server answered with a fault
  - ServerUnreachable: no answer came from the policy server in time
"""

import difflib
from collections.abc import Iterable
from typing import Literal


class OctoverseError(Exception):
    """Base class: catch this to catch everything octoverse raises on purpose."""


class UnknownName(OctoverseError):
    """Nothing of this kind has this name."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        self.kind, self.name, self.known = kind, name, sorted(known)
        near = difflib.get_close_matches(name, self.known, n=1)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        known_names = ", ".join(self.known) or "none"
        super().__init__(f"No {kind} named '{name}'.{hint} Known: {known_names}.")


class SpecMismatch(OctoverseError):
    """Data does not have the names, shape, type or range that a spec asks for."""


class BadConfig(OctoverseError):
    """Settings contradict each other or the data that they are for."""


class BadData(OctoverseError):
    """A data folder or file cannot be read as what it claims to be."""


class BadCheckpoint(OctoverseError):
    """A checkpoint folder is incomplete, damaged or of another version."""


class BadKey(OctoverseError):
    """A file of keys, or a list of allowed ones, is damaged, misplaced or open to others."""


class MissingExtra(OctoverseError):
    """A feature needs a package that is not installed."""

    def __init__(self, feature: str, package: str, extra: str = "", *, install: str = "") -> None:
        command = install or f'pip install "octoverse[{extra}]"'
        super().__init__(
            f"{feature} needs the package '{package}', which is not installed. "
            f"Install it with: {command}"
        )


class BadMessage(OctoverseError):
    """Bytes are not a message of the server's protocol, or break one of its limits."""

    def __init__(
        self,
        message: str,
        code: Literal["bad_message", "protocol"] = "bad_message",
        request: int | None = None,
    ) -> None:
        self.code: Literal["bad_message", "protocol"] = code
        self.request = request
        super().__init__(message)


class ServerError(OctoverseError):
    """The policy server could not be started."""


class RemoteError(OctoverseError):
    """The policy server answered with a fault."""

    def __init__(
        self, code: str, message: str, remedy: str = "", retry_after_ms: float | None = None
    ) -> None:
        self.code, self.message, self.remedy = code, message, remedy
        self.retry_after = None if retry_after_ms is None else retry_after_ms / 1000
        """When asking again may help [s]."""
        super().__init__(f"{message} {remedy}".strip())


class ServerUnreachable(OctoverseError):
    """No answer came from the policy server in time."""
