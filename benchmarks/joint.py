"""Training on all bodies at once beside training each alone, body by body, in one table.

Each body sees the same samples in the same number of steps, once with the others in the batch and
once without. Runs go on where they stopped. About a quarter of an hour on two quiet cores:

    python benchmarks/joint.py --data FOLDER
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic

import matplotlib
import torch
import tyro
from rich.console import Console

from octoverse import registry
from octoverse.data.source import body_of
from octoverse.training.alone import alone
from octoverse.training.config import Recipe
from octoverse.training.heldout import held_out_report
from octoverse.training.loop import train
from octoverse.training.report import Comparison, Report

matplotlib.use("Agg")
from matplotlib import pyplot

_COLUMNS = ("body", "data", "samples", "ahead", "compared with", "its error", "alone", "joint")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One data set beside one simple prediction."""

    joint: Comparison
    alone: Comparison

    @property
    def cells(self) -> tuple[str, ...]:
        """For a table, as _COLUMNS."""
        one = self.joint
        return (
            one.body,
            one.data + " (trained on)" * one.seen,
            str(one.samples),
            f"{one.seconds:.2g} s",
            one.against,
            f"{one.simple:.3f}",
            f"{self.alone.policy:.3f}",
            f"{one.policy:.3f}",
        )


def rows(joint: Report, by_body: Mapping[str, Report]) -> list[Row]:
    """Pair what was measured jointly with the same of each body alone."""
    found = []
    for one in joint.comparisons:
        others = by_body[one.body].comparisons
        [other] = [c for c in others if (c.data, c.against) == (one.data, one.against)]
        found.append(Row(joint=one, alone=other))
    return found


def markdown(table: Sequence[Row]) -> str:
    """The table."""
    lines = [_COLUMNS, ("---",) * len(_COLUMNS), *(row.cells for row in table)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


def draw(table: Sequence[Row], path: Path) -> None:
    """The same as bars, each as a share of the simple prediction's error."""
    shown = table[::-1]
    figure, axes = pyplot.subplots(figsize=(8, 0.42 * len(shown) + 1.2))
    for shift, label, shares in (
        (0.2, "alone", [row.alone.policy / row.alone.simple for row in shown]),
        (-0.2, "joint", [row.joint.policy / row.joint.simple for row in shown]),
    ):
        places = [place + shift for place in range(len(shown))]
        axes.barh(places, [min(share, 2.0) for share in shares], 0.38, label=label)
    axes.axvline(1.0, color="black", linewidth=1)
    axes.set_yticks(range(len(shown)), [f"{r.joint.data}: {r.joint.against}" for r in shown])
    axes.set_xlim(0, 2)
    axes.set_xlabel("error as a share of the simple prediction's (bars end at 2)")
    axes.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=100)
    pyplot.close(figure)


def measured(recipe: Recipe, folder: Path) -> Report:
    """Train, or go on training, and measure."""
    folder.mkdir(parents=True, exist_ok=True)
    bodies = {entry.source.embodiment: body_of(entry.source) for entry in recipe.sources}
    policy = train(recipe, bodies, folder)
    return held_out_report(policy, recipe.held_out, folder, seen=recipe.seen)


def main(
    data: Path,
    recipe: str = "real",
    out: Path = Path("runs/joint"),
    seed: int = 0,
    steps: int | None = None,
    threads: int = 0,
) -> None:
    """Train jointly and alone; write table.md and table.png.

    Args:
        data: Where the recipe's data are.
        recipe: Its name.
        out: Folder of all runs and of the table.
        seed: Of all runs.
        steps: Of each run; the recipe's own if not given.
        threads: CPU threads; 0 for all cores.
    """
    if threads:
        torch.set_num_threads(threads)
    chosen: Recipe = registry.load("recipe", recipe)(data)
    settings = replace(chosen.training, seed=seed, steps=steps or chosen.training.steps)
    settings = replace(settings, warmup_steps=min(settings.warmup_steps, settings.steps // 5))
    chosen = replace(chosen, training=settings)
    began = monotonic()
    joint = measured(chosen, out / "all")
    minutes = [(monotonic() - began) / 60]
    by_body = {name: measured(alone(chosen, name), out / name) for name in chosen.policy.bodies}
    minutes.append((monotonic() - began) / 60 - minutes[0])
    table = rows(joint, by_body)
    (out / "table.md").write_text(markdown(table))
    draw(table, out / "table.png")
    console = Console()
    console.print(markdown(table), markup=False, soft_wrap=True)
    console.print(
        f"Joint: {minutes[0]:.1f} minutes. Alone, all together: {minutes[1]:.1f} minutes."
    )


if __name__ == "__main__":
    tyro.cli(main)
