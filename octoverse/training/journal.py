"""What a training run tells: a progress bar, losses.jsonl, a plot, and TensorBoard's logs."""

import json
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from octoverse.data.weighted import Skipped
from octoverse.training.config import TrainingConfig


class Journal:
    """Takes the losses of every step and writes their means every few steps."""

    def __init__(self, folder: Path, config: TrainingConfig, step: int, quiet: bool) -> None:
        from torch.utils.tensorboard import SummaryWriter

        folder.mkdir(parents=True, exist_ok=True)
        self._path, self._config = folder / "losses.jsonl", config
        _forget_after(self._path, step)
        self._writer = SummaryWriter(folder / "tensorboard", purge_step=step + 1)
        self._sums: dict[str, list[float]] = defaultdict(list)
        self._began = time.monotonic()
        self._counted = step
        self._left_out = self._named = 0
        self._bar = Progress(
            TextColumn("training"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[told]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            disable=quiet,
        )
        self._task = self._bar.add_task("", total=config.steps, completed=step, told="")

    def __enter__(self) -> "Journal":
        self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.stop()
        self._writer.close()
        if self._path.exists() and self._path.stat().st_size:
            plot_losses(self._path, self._path.with_name("losses.png"))

    def log(self, step: int, rate: float, parts: dict[str, float]) -> None:
        """Take the losses of one step, by body and readout."""
        for name, value in parts.items():
            self._sums[name].append(value)
        self._bar.update(self._task, completed=step)
        if step % self._config.log_every and step != self._config.steps:
            return
        now = time.monotonic()
        speed = (step - self._counted) * self._config.batch_size / max(now - self._began, 1e-9)
        self._began, self._counted = now, step
        means = {name: sum(values) / len(values) for name, values in self._sums.items()}
        self._sums.clear()
        line: dict[str, Any] = {"step": step, "rate": rate, "samples_per_second": speed}
        with self._path.open("a") as file:
            file.write(json.dumps({**line, "losses": means}) + "\n")
        for name, value in means.items():
            self._writer.add_scalar(f"loss/{name}", value, step)
        self._writer.add_scalar("samples_per_second", speed, step)
        told = "  ".join(f"{name.partition('/')[0]} {value:.4f}" for name, value in means.items())
        self._bar.update(self._task, told=f"{told}  {speed:.0f} samples/s")

    def leave_out(self, skipped: Mapping[Skipped, int]) -> None:
        """Name data that could not be read when they are first met; count them in skipped.json."""
        if sum(skipped.values()) == self._left_out:
            return
        self._left_out = sum(skipped.values())
        for one in list(skipped)[self._named :]:
            which = "left out" if one.episode is None else f"episode {one.episode} left out"
            self._bar.console.print(f"'{one.source}', {which}: {one.message}", style="yellow")
        self._named = len(skipped)
        told = [{**msgspec.to_builtins(one), "times": count} for one, count in skipped.items()]
        self._path.with_name("skipped.json").write_text(json.dumps(told, indent=1))


def plot_losses(path: Path, picture: Path) -> None:
    """Plot losses.jsonl, one line per body and readout."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    curves: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for line in path.read_text().splitlines():
        entry = json.loads(line)
        for name, value in entry["losses"].items():
            curves[name].append((entry["step"], value))
    figure, axes = pyplot.subplots(figsize=(7, 4), layout="constrained")
    for name, points in sorted(curves.items()):
        axes.plot(*zip(*points, strict=True), label=name, linewidth=1.2)
    axes.set(xlabel="step", ylabel="loss", yscale="log", title="Training loss by body and readout")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    figure.savefig(picture, dpi=120)
    pyplot.close(figure)


def _forget_after(path: Path, step: int) -> None:
    """Drop what a stopped run wrote after its last checkpoint: those steps are taken again."""
    if not path.exists():
        return
    whole = [line for line in path.read_text().splitlines(True) if line.endswith("\n")]
    path.write_text("".join(line for line in whole if json.loads(line)["step"] <= step))
