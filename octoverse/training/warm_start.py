"""Begin with another checkpoint's weights: modules of the same key and shape are taken over."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from rich.table import Table

from octoverse import checkpoint
from octoverse.policy import Policy


@dataclass(frozen=True)
class Shared:
    """Where the weights of every module come from; its number of parameters by its name."""

    loaded: Mapping[str, int]
    """Taken over from the module of the same name."""
    fresh: Mapping[str, int]
    begun: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    """Of a module of its own, copied from the one that is named first."""

    def table(self, plan: Mapping[str, str]) -> Table:
        """For the terminal; `plan` says of each module what is trained of it."""
        title = "Where the weights come from, and what is trained"
        table = Table("module", "parameters", "weights", "training", title=title, box=None)
        rows = [
            *((name, count, "from the checkpoint") for name, count in self.loaded.items()),
            *((name, count, f"begin as {source}") for name, (source, count) in self.begun.items()),
            *((name, count, "new") for name, count in self.fresh.items()),
        ]
        for name, count, weights in sorted(rows, key=lambda row: row[0]):
            table.add_row(name, f"{count:,}", weights, plan[name])
        return table


def load_shared(policy: Policy, folder: Path, begins: Mapping[str, str] | None = None) -> Shared:
    """Copy every tensor that the checkpoint has under the same name and shape.

    Args:
        policy: Gets the weights.
        folder: The checkpoint.
        begins: Modules that the checkpoint lacks to those of it that they begin as, by the start
            of their weights' names.

    Raises:
        BadCheckpoint: if the checkpoint cannot be read.
    """
    weights, mine = checkpoint.read_weights(folder), policy.state_dict()
    buffers = {name for name, _ in policy.named_buffers()}
    loaded: dict[str, int] = {}
    fresh: dict[str, int] = {}
    begun: dict[str, tuple[str, int]] = {}
    with torch.no_grad():
        for key, value in mine.items():
            source, module = _source(key, begins or {}), module_of(key)
            found = weights.get(source)
            # What a readout has learned of another body's actions, such as anchors, it learns anew.
            others = source != key and key in buffers and key.startswith("readouts.")
            if found is None or found.shape != value.shape or others:
                fresh[module] = fresh.get(module, 0) + value.numel()
                continue
            value.copy_(found)
            if source == key:
                loaded[module] = loaded.get(module, 0) + value.numel()
            else:
                count = begun.get(module, ("", 0))[1] + value.numel()
                begun[module] = module_of(source), count
    return Shared(loaded, fresh, begun)


def module_of(key: str) -> str:
    """The module a weight belongs to, as a reader knows it: its room and its key."""
    parts = key.split(".")
    if parts[0] == "trunk" and parts[1] != "positions":
        return "trunk"
    return " ".join(parts[:3] if parts[1] == "positions" else parts[:2])


def _source(key: str, begins: Mapping[str, str]) -> str:
    """The weight of the checkpoint that a weight begins as."""
    for mine, theirs in begins.items():
        if key == mine or key.startswith(f"{mine}."):
            return theirs + key[len(mine) :]
    return key
