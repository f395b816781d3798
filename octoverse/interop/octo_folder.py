"""Read what a published Octo checkpoint folder holds, or say which part of it is missing.

config.json, dataset_statistics.json, example_batch.msgpack and, for each step, STEP/default.
Source: octo-models/octo, octo/model/octo_model.py (save_pretrained, load_pretrained).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from octoverse.errors import BadData
from octoverse.interop import flax_msgpack, orbax

_CURE = "The checkpoint is incomplete; fetch the folder again, whole."


@dataclass(frozen=True, kw_only=True)
class OctoFolder:
    """Everything in the folder, of one step."""

    path: Path
    step: int
    config: Mapping[str, Any]
    statistics: Mapping[str, Any]
    shapes: Mapping[str, tuple[int, ...]]
    """Of everything in the example batch: observation/image_primary to (b, t, h, w, 3)."""
    parameters: Mapping[str, np.ndarray]
    """By flax's names, joined with '/'."""


def read_folder(path: Path, step: int | None = None) -> OctoFolder:
    """Read a checkpoint.

    Args:
        path: The folder that holds config.json.
        step: Which of its steps; the newest if not given.

    Raises:
        BadData: if a part is missing or cannot be read.
        MissingExtra: if a package is needed that is not installed.
    """
    if not path.is_dir():
        raise BadData(f"{path}: expected the folder of an Octo checkpoint, found no such folder.")
    chosen = _step(path, step)
    return OctoFolder(
        path=path,
        step=chosen,
        config=_json(path / "config.json"),
        statistics=_json(path / "dataset_statistics.json"),
        shapes=_shapes(path / "example_batch.msgpack"),
        parameters=orbax.read(path / str(chosen) / "default"),
    )


def _step(path: Path, step: int | None) -> int:
    found = sorted(int(one.name) for one in path.iterdir() if one.is_dir() and one.name.isdecimal())
    if not found:
        raise BadData(
            f"{path}: expected a folder for each step, such as 300000, found none. {_CURE}"
        )
    if step is not None and step not in found:
        raise BadData(
            f"{path}: expected step {step}, found {', '.join(map(str, found))}. Name one of these."
        )
    return found[-1] if step is None else step


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise BadData(f"{path.parent}: expected {path.name}, found none. {_CURE}")
    try:
        found: dict[str, Any] = json.loads(path.read_bytes())
    except ValueError as error:
        raise BadData(f"{path}: expected JSON, got something else: {error}. {_CURE}") from error
    if not isinstance(found, dict):
        raise BadData(f"{path}: expected fields by name, got {type(found).__name__}. {_CURE}")
    return found


def _shapes(path: Path) -> dict[str, tuple[int, ...]]:
    if not path.is_file():
        raise BadData(
            f"{path.parent}: expected {path.name}, which says the sizes of images, found none. "
            f"{_CURE}"
        )
    tree = flax_msgpack.flatten(flax_msgpack.restore(path.read_bytes(), str(path)))
    # Folders of before 2024 say "tasks".
    return {
        f"task/{name.removeprefix('tasks/')}" if name.startswith("tasks/") else name: value.shape
        for name, value in tree.items()
        if isinstance(value, np.ndarray)
    }
