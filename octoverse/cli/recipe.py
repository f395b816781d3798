"""Recipes by name, as commands are given them."""

import inspect
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from octoverse import registry
from octoverse.errors import BadConfig

if TYPE_CHECKING:
    from octoverse.data.source import Source
    from octoverse.recipes.architecture import Architecture
    from octoverse.training.config import Recipe

HOLD_OUT = 0.1
"""Share of a recording's episodes that is held out, where its makers did not part it."""


def named_recipe(
    name: str, data: Sequence[Path] = (), *, size: str = "", hold_out: float = HOLD_OUT
) -> "Recipe":
    """Make the recipe of a name.

    Args:
        name: One of `registry.names("recipe")`.
        data: Data sets by name or folder, for the recipe of a published system; for one that
            brings its own, the folder of its data: OCTOVERSE_DATA, or its own choice, if not given.
        size: Of a published system; the published one if not given.
        hold_out: Share of a data set's last episodes that is not trained on.

    Raises:
        UnknownName: if there is no such recipe.
        BadConfig: if it needs data and there is none, or these are not of its kind.
    """
    from octoverse.recipes.architecture import Architecture

    made = registry.load("recipe", name)
    if isinstance(made, Architecture):
        return _on_data(made, data, size, hold_out)
    if size or len(data) > 1:
        raise BadConfig(
            f"the recipe '{name}' brings its own policy and data sets: expected one folder with "
            f"--data and no --size, got {', '.join(map(str, data)) or 'no folder'} and "
            f"{f'--size {size}' if size else 'no --size'}."
        )
    folder = data[0] if data else None
    if folder is None and "OCTOVERSE_DATA" in os.environ:
        folder = Path(os.environ["OCTOVERSE_DATA"])
    parameters = list(inspect.signature(made).parameters.values())
    if len(parameters) != 1:
        raise BadConfig(
            f"the recipe '{name}' must take one argument, the folder of its data; it takes "
            f"{len(parameters)}."
        )
    if folder is None and parameters[0].default is inspect.Parameter.empty:
        raise BadConfig(
            f"the recipe '{name}' needs --data FOLDER (or OCTOVERSE_DATA): {inspect.getdoc(made)}"
        )
    recipe: Recipe = made() if folder is None else made(folder)
    return recipe


def open_parts(what: str | Path, hold_out: float = HOLD_OUT) -> tuple["Source", "Source | None"]:
    """Open what is trained on of a data set, and what is not.

    A declared data set that has the splits train and val is parted so; of any other the last
    episodes are held out.

    Args:
        what: Its name, or its folder.
        hold_out: Share of the episodes that is held out; 0 to train on everything.

    Returns:
        Both parts; None for the second where nothing is held out.

    Raises:
        UnknownName, BadConfig, BadData: as `octoverse.data.opening.open_source`.
    """
    from octoverse.cli.cache import remembering
    from octoverse.data.opening import DESCRIPTION, declared_at, open_source
    from octoverse.data.part import hold_out as part

    root, what = os.environ.get("OCTOVERSE_DATA", ""), str(what)
    if not 0 <= hold_out < 1:
        raise BadConfig(f"--hold-out must be a share from 0 to below 1, got {hold_out}.")
    if what in registry.names("dataset"):
        declared = registry.load("dataset", what)
    else:
        declared = None if (Path(what) / DESCRIPTION).is_file() else declared_at(what)
    splits = set() if declared is None else set(declared.splits)
    if hold_out and {"train", "val"} <= splits:
        train, held = (remembering(open_source(what, root, split)) for split in ("train", "val"))
        return train, held
    if not hold_out and "all" in splits:
        return remembering(open_source(what, root, "all")), None
    return part(remembering(open_source(what, root)), hold_out)


def _on_data(system: "Architecture", data: Sequence[Path], size: str, hold_out: float) -> "Recipe":
    """The recipe of a published system on these data sets, each drawn by its number of frames."""
    from octoverse.data.source import body_of
    from octoverse.data.weighted import Weighted, weigh
    from octoverse.training.config import Recipe

    example = " and ".join(system.example)
    if not data:
        raise BadConfig(
            f"the recipe '{system.name}' needs --data DATA ...: one or more data sets, each a "
            f"folder or a declared name, of bodies such as {example}."
        )
    parts = [open_parts(one, hold_out) for one in data]
    bodies = {one.embodiment: body_of(one) for one, _ in parts}
    try:
        policy = system.config(list(bodies.values()), size)
    except BadConfig as error:
        raise BadConfig(
            f"the recipe '{system.name}' cannot be made for {', '.join(bodies)}: {error} It is "
            f"for bodies such as {example}."
        ) from error
    return Recipe(
        name=system.name,
        policy=policy,
        sources=weigh([one for one, _ in parts], "frames"),
        held_out=[Weighted(source=one) for _, one in parts if one is not None],
        variation=system.variation,
        training=system.training,
    )
