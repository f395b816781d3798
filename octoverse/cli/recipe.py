"""Recipes by name, as commands are given them."""

import inspect
import os
from pathlib import Path
from typing import TYPE_CHECKING

from octoverse import registry
from octoverse.errors import BadConfig

if TYPE_CHECKING:
    from octoverse.training.config import Recipe


def named_recipe(name: str, data: Path | None) -> "Recipe":
    """Make the recipe of a name.

    Args:
        name: One of `registry.names("recipe")`.
        data: The folder of its data; OCTOVERSE_DATA, or the recipe's own choice, if not given.

    Raises:
        UnknownName: if there is no such recipe.
        BadConfig: if it needs a folder and there is none.
    """
    make = registry.load("recipe", name)
    if data is None and "OCTOVERSE_DATA" in os.environ:
        data = Path(os.environ["OCTOVERSE_DATA"])
    parameters = list(inspect.signature(make).parameters.values())
    if len(parameters) != 1:
        raise BadConfig(
            f"the recipe '{name}' must take one argument, the folder of its data; it takes "
            f"{len(parameters)}."
        )
    if data is None and parameters[0].default is inspect.Parameter.empty:
        raise BadConfig(
            f"the recipe '{name}' needs --data FOLDER (or OCTOVERSE_DATA): {inspect.getdoc(make)}"
        )
    recipe: Recipe = make() if data is None else make(data)
    return recipe
