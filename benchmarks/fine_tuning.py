"""How many steps a new body takes to a held-out error: from a checkpoint, and from nothing.

Each run has the same data, settings and seed; its checkpoints are measured on held-out episodes.
"Nothing" is what `octoverse train --embodiment` makes without a checkpoint; "untrained" has the
modules that the checkpoint would give, with fresh weights. Runs go on where they stopped:

    python benchmarks/fine_tuning.py --start runs/bridge --embodiment dobot_cr5 --data dobot-cr5
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, get_args

import torch
import tyro
from rich.console import Console

from octoverse import checkpoint, registry
from octoverse.cli.recipe import open_parts
from octoverse.data.weighted import Weighted
from octoverse.policy import Policy
from octoverse.training.config import Recipe, TrainingConfig, Tune
from octoverse.training.heldout import held_out_report
from octoverse.training.loop import train
from octoverse.training.new_body.extend import extend_config
from octoverse.training.warm_start import load_shared

Kind = Literal["nothing", "untrained", "full", "frozen-trunk", "lora"]
Curve = Mapping[int, float]
"""Step to held-out error, in standard deviations."""


def reached(curve: Curve, error: float) -> int | None:
    """The first measured step at which the error is this small."""
    return next((step for step, found in sorted(curve.items()) if found <= error), None)


def markdown(curves: Mapping[str, Curve], against: str = "nothing") -> str:
    """Steps to the errors that one of the curves comes to, each at its first such step."""
    targets, lowest = list[float](), float("inf")
    for _, error in sorted(curves[against].items()):
        if error < lowest:
            targets.append(error)
            lowest = error
    lines = [["error", *curves], ["---"] * (1 + len(curves))]
    for error in targets:
        steps = [reached(curve, error) for curve in curves.values()]
        lines.append([f"{error:.3f}", *("-" if one is None else str(one) for one in steps)])
    lines.append(["lowest", *(f"{min(curve.values()):.3f}" for curve in curves.values())])
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


def curve_of(
    recipe: Recipe, folder: Path, start: Callable[[Policy], None] | None, steps: Sequence[int]
) -> Curve:
    """Train, or go on, and measure every checkpoint."""
    [body] = recipe.policy.bodies
    train(recipe, {body: registry.load("embodiment", body)}, folder, start=start)
    found = {}
    for step, place in zip(steps, checkpoint.steps(folder), strict=True):
        report = held_out_report(checkpoint.load(place), recipe.held_out, folder)
        found[step] = report.of(body, "training mean").policy
    return found


def main(
    start: Path,
    embodiment: str,
    data: str,
    out: Path = Path("runs/fine_tuning"),
    kinds: tuple[Kind, ...] = get_args(Kind),
    steps: int = 300,
    every: int = 20,
    batch_size: int = 32,
    learning_rate: float = 3e-4,
    seed: int = 0,
    threads: int = 0,
) -> None:
    """Train in each way and write table.md.

    Args:
        start: The checkpoint.
        embodiment: The body, which the checkpoint should not know.
        data: Its data set: a name or a folder; part of it is held out.
        out: Folder of all runs and of the table.
        kinds: Which ways.
        steps: Of each run.
        every: Steps between measurements.
        batch_size: Samples in a step.
        learning_rate: At its peak.
        seed: Of all runs.
        threads: CPU threads; 0 for all cores.
    """
    if threads:
        torch.set_num_threads(threads)
    folder, body = checkpoint.resolve(start), registry.load("embodiment", embodiment)
    source, held = open_parts(data)
    assert held is not None, f"{data}: expected some episodes to hold out"
    extended = extend_config(body, folder)
    settings = TrainingConfig(
        steps=steps,
        batch_size=batch_size,
        learning_rate=learning_rate,
        warmup_steps=min(100, steps // 10),
        mean_of=0.95,  # follows closely: what is measured is this step, not an average of many
        precision="bfloat16",
        save_every=every,
        keep=steps,
        seed=seed,
    )
    curves: dict[str, Curve] = {}
    for kind in kinds:
        fresh = kind in ("nothing", "untrained")
        tune: Tune = "full" if fresh else kind  # type: ignore[assignment]
        recipe = Recipe(
            name=kind,
            policy=extend_config(body, None).config if kind == "nothing" else extended.config,
            sources=[Weighted(source=source)],
            held_out=[Weighted(source=held)],
            training=replace(settings, tune=tune),
        )
        begin = None if fresh else lambda policy: load_shared(policy, folder, extended.begins)
        marks = sorted({*range(every, steps, every), steps})
        curves[kind] = curve_of(recipe, out / kind, begin, marks)  # type: ignore[arg-type]
    (out / "table.md").write_text(markdown(curves, kinds[0]))
    Console().print(markdown(curves, kinds[0]), markup=False, soft_wrap=True)


if __name__ == "__main__":
    tyro.cli(main)
