"""`octoverse export`: write only what serving needs of a checkpoint."""

from pathlib import Path
from typing import Annotated, Literal

import torch
from tyro.conf import Positional, arg

from octoverse import checkpoint
from octoverse.in_force import use_statistics

_KINDS = {"float32": torch.float32, "float16": torch.float16}


def export(
    source: Annotated[Positional[Path], arg(help="A checkpoint's or a run's folder.")],
    folder: Annotated[Positional[Path], arg(help="Where to write; must not exist.")],
    precision: Annotated[
        Literal["float32", "float16"],
        arg(help="float16 halves the file; the policy computes in float32 all the same."),
    ] = "float32",
    statistics: Annotated[
        tuple[str, ...],
        arg(help="Of bodies whose data sets are kept apart, the one that it is to serve."),
    ] = (),
) -> None:
    """Write a checkpoint without what only training needs."""
    policy = checkpoint.load(source)
    if statistics:
        use_statistics(policy, *statistics)
    weights = {key: value.to(_KINDS[precision]) for key, value in policy.state_dict().items()}
    checkpoint.save(policy, folder, weights=weights)
    size = sum(path.stat().st_size for path in folder.iterdir()) / 1e6
    print(f"{folder}: {checkpoint.load(folder).model}, {size:.1f} MB.")
