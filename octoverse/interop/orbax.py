"""Read the parameters in a folder that orbax wrote, without jax.

Three layouts are known: everything in one file; in that file the names only, each with a zarr array
in a folder beside it; or all arrays in one OCDBT database, which needs tensorstore.

Source: google/orbax, pytree_checkpoint_handler.py and type_handlers.py of 0.2 to 0.5.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from octoverse.errors import BadData, MissingExtra
from octoverse.interop import flax_msgpack, zarr_array

_PLACEHOLDER = "PLACEHOLDER://"
_AGGREGATE, _METADATA, _DATABASE = "checkpoint", "_METADATA", "manifest.ocdbt"


def read(folder: Path) -> dict[str, np.ndarray]:
    """All parameters by name, joined with '/'.

    Raises:
        BadData: if a part is missing or cannot be read.
        MissingExtra: if a package is needed for this layout that is not installed.
    """
    if not folder.is_dir():
        raise BadData(
            f"{folder}: expected the parameters of this step, found no such folder. The "
            "checkpoint is incomplete; fetch the folder again, whole."
        )
    stored = _names(folder)
    apart = {
        name: value.removeprefix(_PLACEHOLDER)
        for name, value in stored.items()
        if isinstance(value, str) and value.startswith(_PLACEHOLDER)
    }
    inside = {name: np.asarray(value) for name, value in stored.items() if name not in apart}
    if not apart:
        return inside
    if (folder / _DATABASE).is_file():
        arrays = _of_database(folder, apart.values())
    else:
        arrays = {path: zarr_array.read(folder / path) for path in apart.values()}
    return {name: arrays[apart[name]] if name in apart else inside[name] for name in stored}


def _names(folder: Path) -> dict[str, Any]:
    """Every parameter's value, or where it stands."""
    path, described = folder / _AGGREGATE, folder / _METADATA
    if path.is_file():
        return flax_msgpack.flatten(flax_msgpack.restore(path.read_bytes(), str(path)))
    if not described.is_file():
        raise BadData(
            f"{path}: expected the file with the parameters or their names, found none, nor "
            f"{_METADATA}. The checkpoint is incomplete; fetch the folder again, whole."
        )
    try:
        tree = json.loads(described.read_bytes())["tree_metadata"]
        paths = [[str(part["key"]) for part in leaf["key_metadata"]] for leaf in tree.values()]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadData(
            f"{described}: expected the names of all parameters, got something else: {error!r}. "
            "Fetch the file again."
        ) from error
    return {"/".join(path): _PLACEHOLDER + ".".join(path) for path in paths}


def _of_database(folder: Path, paths: Iterable[str]) -> dict[str, np.ndarray]:
    try:
        import tensorstore
    except ModuleNotFoundError as error:
        raise MissingExtra("An Octo checkpoint in OCDBT form", "tensorstore", "octo") from error
    found = {}
    for path in paths:
        base = f"file://{folder.resolve()}/"
        store = {"driver": "ocdbt", "base": base, "path": f"{path}/"}
        try:
            opened = tensorstore.open({"driver": "zarr", "kvstore": store}, open=True).result()
            values = opened.read().result()
        except ValueError as error:
            raise BadData(
                f"{folder / _DATABASE}: expected the parameter '{path}', which cannot be read: "
                f"{error}. The checkpoint is incomplete; fetch the folder again, whole."
            ) from error
        kind = str(opened.dtype.name)
        found[path] = values if kind != "bfloat16" else np.asarray(values).astype(np.float32)
    return found
