"""Write a complete small package for somebody's own body from the templates beside this file."""

import keyword
import re
from importlib.resources import files
from pathlib import Path
from string import Template

from octoverse import registry
from octoverse.errors import BadConfig

_FILES = {
    "pyproject.toml": "pyproject.toml",
    "README.md": "README.md",
    "embodiment.py": "octoverse_$name/embodiment.py",
    "__init__.py": "octoverse_$name/__init__.py",
    "test_embodiment.py": "tests/test_embodiment.py",
}


def write_package(name: str, parent: Path = Path()) -> Path:
    """Write the folder octoverse-NAME into `parent`.

    Returns:
        The new folder.

    Raises:
        BadConfig: if the name cannot be a body's name, is taken, or the folder exists.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", name) or keyword.iskeyword(name):
        raise BadConfig(
            "name must be lower case letters, digits and _, start with a letter and have at most "
            f"40 of them, got '{name}'. For example: my_arm."
        )
    if name in registry.names("embodiment"):
        raise BadConfig(
            f"name: '{name}' is taken by the package '{registry.provider('embodiment', name)}'. "
            "Choose another name."
        )
    folder = parent / f"octoverse-{name.replace('_', '-')}"
    if folder.exists():
        raise BadConfig(f"{folder} exists already. Remove it, or choose another name.")
    words = {"name": name, "NAME": name.upper(), "package": folder.name}
    for template, place in _FILES.items():
        text = files(__package__).joinpath(f"{template}.template").read_text("utf-8")
        path = folder / Template(place).substitute(words)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(Template(text).substitute(words), "utf-8")
    return folder
