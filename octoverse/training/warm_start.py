"""Begin with another checkpoint's weights: modules of the same key and shape are taken over."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from rich.table import Table

from octoverse import checkpoint
from octoverse.config import PolicyConfig
from octoverse.embodiment import Embodiment
from octoverse.policy import Policy
from octoverse.recipes.generic import policy_config
from octoverse.training.alone import only


@dataclass(frozen=True)
class Shared:
    """Which modules were taken over and which are new."""

    loaded: Mapping[str, int]
    """Module to its number of parameters."""
    fresh: Mapping[str, int]

    def table(self) -> Table:
        """Both, for the terminal."""
        table = Table("module", "parameters", "weights", title="Where the weights come from")
        for name, count in sorted(self.loaded.items()):
            table.add_row(name, f"{count:,}", "from the checkpoint")
        for name, count in sorted(self.fresh.items()):
            table.add_row(name, f"{count:,}", "new")
        return table


def extend_config(body: Embodiment, folder: Path | None) -> PolicyConfig:
    """The config of a policy for one body, shaped so that it can share a checkpoint's modules.

    Args:
        body: The body to train.
        folder: A checkpoint; a body that it knows keeps its config, any other body gets a generic
            one with the checkpoint's trunk, window and image sizes.
    """
    if folder is None:
        return policy_config(body)
    known = checkpoint.describe(folder).config
    if body.name in known.bodies:
        return only(known, body.name)
    generic = policy_config(body, preprocess=known.preprocess)
    return replace(
        generic,
        trunk=known.trunk,
        window=known.window,
        preprocess=known.preprocess,
        tokenizers=_prefer(generic.tokenizers, known.tokenizers),
        readouts=_prefer(generic.readouts, known.readouts),
    )


def load_shared(policy: Policy, folder: Path) -> Shared:
    """Copy every tensor that the checkpoint has under the same name and shape.

    Raises:
        BadCheckpoint: if the checkpoint cannot be read.
    """
    weights, mine = checkpoint.read_weights(folder), policy.state_dict()
    loaded: dict[str, int] = {}
    fresh: dict[str, int] = {}
    with torch.no_grad():
        for key, value in mine.items():
            found = weights.get(key)
            same = found is not None and found.shape == value.shape
            if found is not None and same:
                value.copy_(found)
            place = loaded if same else fresh
            place[_module(key)] = place.get(_module(key), 0) + value.numel()
    return Shared(loaded, fresh)


def _prefer(wanted: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: known[key] if type(known.get(key)) is type(config) else config
        for key, config in wanted.items()
    }


def _module(key: str) -> str:
    """The module a weight belongs to, as a reader knows it: its room and its key."""
    parts = key.split(".")
    if parts[0] == "trunk" and parts[1] != "positions":
        return "trunk"
    return " ".join(parts[:3] if parts[1] == "positions" else parts[:2])
