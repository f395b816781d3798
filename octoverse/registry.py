"""Find plug-ins by entry point, and load one by name.

A package offers a plug-in by naming it in its pyproject.toml:

    [project.entry-points."octoverse.embodiments"]
    ur5 = "my_robots.ur5:UR5"

Nothing is imported until `load` is called.
"""

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal

from octoverse.errors import MissingExtra, OctoverseError, UnknownName

Kind = Literal[
    "embodiment", "tokenizer", "readout", "codec", "server", "source", "environment", "recipe"
]


def names(kind: Kind) -> list[str]:
    """List the installed plug-ins of one kind, in order."""
    return sorted(_entries(kind))


def load(kind: Kind, name: str) -> Any:
    """Import one plug-in and return the object its entry point names.

    Raises:
        UnknownName: if no installed package provides it.
        MissingExtra: if the plug-in's module needs a package that is not installed.
    """
    found = _entries(kind)
    if name not in found:
        raise UnknownName(kind, name, found)
    try:
        return found[name].load()
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        extra = _EXTRA_OF.get(package)
        if extra is None:
            raise
        raise MissingExtra(f"The {kind} '{name}'", package, extra) from error


_EXTRA_OF = {
    "torch": "policy",
    "transformers": "policy",
    "safetensors": "policy",
    "pyarrow": "policy",
    "PIL": "policy",
    "tensorflow_datasets": "rlds",
    "crc32c": "rlds",
    "mujoco": "sim",
    "gymnasium": "sim",
    "robosuite": "robosuite",
    "lerobot": "lerobot",
}


@cache
def _entries(kind: Kind) -> dict[str, EntryPoint]:
    found: dict[str, EntryPoint] = {}
    for entry in entry_points(group=f"octoverse.{kind}s"):
        if entry.name in found and found[entry.name].value != entry.value:
            raise OctoverseError(
                f"Two packages provide the {kind} '{entry.name}': "
                f"{found[entry.name].value} and {entry.value}. Uninstall one."
            )
        found[entry.name] = entry
    return found
