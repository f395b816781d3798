"""`octoverse train`: train one policy on the data of many bodies."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
from rich.console import Console
from tyro.conf import arg

from octoverse import checkpoint, registry
from octoverse.cli.cache import all_remembering
from octoverse.cli.recipe import HOLD_OUT, named_recipe, open_parts
from octoverse.data.weighted import Weighted, weigh
from octoverse.embodiment import Embodiment
from octoverse.errors import BadConfig
from octoverse.policy import Policy
from octoverse.training.alone import alone
from octoverse.training.config import Recipe, TrainingConfig, Tune
from octoverse.training.heldout import held_out_report
from octoverse.training.loop import train as run
from octoverse.training.new_body.extend import extend_config
from octoverse.training.tuning import check_trunk, plan
from octoverse.training.warm_start import load_shared


@dataclass(frozen=True, kw_only=True)
class Overrides:
    """Settings of the recipe to change."""

    steps: int | None = None
    """Steps of training."""
    batch_size: int | None = None
    """Samples in a step."""
    learning_rate: float | None = None
    """At its peak."""
    save_every: int | None = None
    """Steps between checkpoints."""
    seed: int | None = None
    """Decides fresh weights, the order of the data and noise."""
    workers: int | None = None
    """Processes that prepare samples; 0 for a thread of the training process."""
    memory_gb: float | None = None
    """Memory for data."""
    tune: Tune | None = None
    """With --from: train everything (full), all but the trunk (frozen-trunk), or low-rank changes
    of the trunk and everything else (lora)."""
    lora_rank: int | None = None
    """Rank of those changes."""
    lora_alpha: int | None = None
    """They are scaled by this over the rank."""


def train(
    recipe: Annotated[
        str, arg(help="A recipe: octoverse recipes lists them, such as real, demo or act.")
    ] = "",
    data: Annotated[
        tuple[Path, ...],
        arg(
            help="Data sets, each a folder or a declared name; for a recipe that brings its own, "
            "the folder that they lie in."
        ),
    ] = (),
    size: Annotated[
        str, arg(help="Size of a published system's recipe, such as tiny; its own if not given.")
    ] = "",
    out: Annotated[Path | None, arg(help="The run's folder; runs/RECIPE if not given.")] = None,
    start_from: Annotated[
        Path | None, arg(name="from", help="Checkpoint whose shared weights to begin with.")
    ] = None,
    embodiment: Annotated[
        str | None, arg(help="Train this body on --data instead of a recipe's bodies.")
    ] = None,
    only: Annotated[
        str | None, arg(help="Train this body of the recipe alone, on its share of each batch.")
    ] = None,
    hold_out: Annotated[
        float,
        arg(
            help="Share of a data set's last episodes that is measured and not trained on; 0 for "
            "none. Declared data sets say themselves which."
        ),
    ] = HOLD_OUT,
    change: Annotated[Overrides, arg(name="")] = Overrides(),
    skip_bad: Annotated[
        bool, arg(help="Leave out data that cannot be read, count and name them, and go on.")
    ] = False,
    threads: Annotated[int, arg(help="CPU threads; 0 for all cores.")] = 0,
) -> None:
    """Train one policy on the data of many bodies; run it again to go on where it stopped."""
    if threads:
        torch.set_num_threads(threads)
    console = Console()
    if bool(recipe) == bool(embodiment):
        raise BadConfig(
            "train needs either --recipe NAME or --embodiment NAME with --data FOLDER, got "
            f"{'both' if recipe else 'neither'}. Recipes: {', '.join(registry.names('recipe'))}."
        )
    if size and not recipe:
        raise BadConfig(
            f"--size {size} is for the recipe of a published system, got --embodiment "
            f"{embodiment}. Give --recipe generic --size {size}, or leave it out."
        )
    begins: Mapping[str, str] = {}
    if recipe:
        chosen = named_recipe(recipe, data, size=size, hold_out=hold_out)
    else:
        assert embodiment is not None
        chosen, begins = _of_body(embodiment, data, start_from, hold_out)
    if only is not None:
        chosen = alone(chosen, only)
    changed = {k: v for k, v in dataclasses.asdict(change).items() if v is not None}
    if skip_bad:
        changed["skip_bad"] = True
    if "steps" in changed:
        changed.setdefault("warmup_steps", min(chosen.training.warmup_steps, changed["steps"] // 5))
    chosen = dataclasses.replace(chosen, training=dataclasses.replace(chosen.training, **changed))
    chosen = dataclasses.replace(
        chosen,
        sources=all_remembering(chosen.sources),
        held_out=all_remembering(chosen.held_out),
    )
    folder = out or Path("runs") / chosen.name
    bodies = _bodies(chosen)

    if chosen.training.tune != "full" and start_from is None:
        raise BadConfig(
            f"--tune {chosen.training.tune} keeps the weights of a checkpoint's trunk, got none. "
            "Give one with --from CHECKPOINT, or leave out --tune."
        )

    def start(policy: Policy) -> None:
        if start_from is not None:
            shared = load_shared(policy, checkpoint.resolve(start_from), begins)
            console.print(shared.table(plan(policy, chosen.training)))
            check_trunk(shared, chosen.training)

    policy = run(chosen, bodies, folder, start=start)
    newest = checkpoint.resolve(folder)
    console.print(f"Checkpoint: {newest}. Losses: {folder / 'losses.png'}")
    if chosen.held_out:
        console.print(held_out_report(policy, chosen.held_out, folder, seen=chosen.seen).table())
    console.print(f"Serve it with: octoverse serve {folder}")


def _of_body(
    name: str, data: Sequence[Path], start_from: Path | None, hold_out: float
) -> tuple[Recipe, Mapping[str, str]]:
    """One body on its data, and which of its modules begin as which of the checkpoint's."""
    body: Embodiment = registry.load("embodiment", name)
    if not data:
        raise BadConfig(
            f"train --embodiment {name} needs --data FOLDER: a data set of that body, such "
            "as a LeRobot or RLDS folder, or the name of a declared one."
        )
    parts = [open_parts(one, hold_out) for one in data]
    for what, (source, _) in zip(data, parts, strict=True):
        if source.embodiment != body.name:
            raise BadConfig(
                f"{what} is a recording of '{source.embodiment}', expected '{body.name}'. "
                f"Give --embodiment {source.embodiment}, or other data."
            )
    found = extend_config(body, None if start_from is None else checkpoint.resolve(start_from))
    recipe = Recipe(
        name=body.name,
        policy=found.config,
        sources=weigh([source for source, _ in parts], "frames"),
        held_out=[Weighted(source=held) for _, held in parts if held is not None],
        training=TrainingConfig(steps=2000, warmup_steps=100, precision="bfloat16"),
    )
    return recipe, found.begins


def _bodies(recipe: Recipe) -> dict[str, Embodiment]:
    return {name: registry.load("embodiment", name) for name in recipe.policy.bodies}
