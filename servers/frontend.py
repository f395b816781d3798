"""What every frontend for another project's clients can do, and how one is made from a file.

Such clients tell nobody what their numbers mean. So a frontend is started for one named body, with
a map between the client's keys and the body's streams and action groups; docs/existing_clients.md.
"""

import tomllib
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar, Self

import msgspec

from octoverse import registry
from octoverse.errors import BadConfig
from octoverse.servers.frontend_settings import Settings
from octoverse.servers.key_map import KeyMap
from octoverse.servers.service import Service


class Frontend(ABC):
    """Serves clients of another protocol from a service that runs.

    Args:
        service: Answers; it is started and stopped by whoever made it.
        settings: What the file says, of the type `told_by`.

    Raises:
        BadConfig: if the keys do not fit the body.
        UnknownName: if the policy has no such body, or the body no such stream or group.
    """

    told_by: ClassVar[type[Settings]] = Settings
    """What its file holds."""

    def __init__(self, service: Service, settings: Any) -> None:
        self.service, self.settings = service, settings
        self.address: str = settings.address
        """HOST:PORT, where it listens once it is started."""
        self.key_map = KeyMap(settings, service.policy)

    @abstractmethod
    def start(self) -> Self:
        """Listen, in threads of its own.

        Raises:
            ServerError: if the address is not allowed, or the port is in use.
        """

    @abstractmethod
    def stop(self) -> None:
        """Let all clients go."""

    @property
    def name(self) -> str:
        """Whose clients of which body it serves."""
        return f"{self.settings.frontend} {self.settings.body}"

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *error: object) -> None:
        self.stop()


def load(path: Path, service: Service) -> Frontend:
    """Make the frontend that a file describes.

    Raises:
        BadConfig: if the file is not sound, does not fit the body, or shows keys to others.
        UnknownName: if it names a frontend or a body that there is not.
    """
    try:
        told = tomllib.loads(path.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadConfig(f"{path}: expected a file of TOML, got: {error}.") from error
    plugin = registry.load("server", str(told.get("frontend")))
    if not issubclass(plugin, Frontend):
        raise BadConfig(
            f"{path}: expected the frontend of an existing client, got {told['frontend']!r}, "
            "which speaks octoverse's own protocol. It needs no file."
        )
    try:
        settings = msgspec.convert(told, plugin.told_by)
    except msgspec.ValidationError as error:
        raise BadConfig(f"{path}: {error}.") from error
    if settings.api_keys and path.stat().st_mode & 0o077:
        raise BadConfig(
            f"{path}: expected a file with api_keys to be read by its owner only, got one that "
            f"others may read. Run: chmod 600 {path}"
        )
    found: Frontend = plugin(service, settings)
    return found
