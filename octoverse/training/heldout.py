"""The error on data never trained on, beside that of always predicting the training mean."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from rich.table import Table

from octoverse.data.cutting import cut_all
from octoverse.data.source import body_of
from octoverse.data.weighted import Weighted
from octoverse.errors import BadData
from octoverse.policy import Policy
from octoverse.training.loop import window_spec

_BATCH = 64


class GroupError(msgspec.Struct, frozen=True, kw_only=True):
    """Mean absolute error of one action group, in training standard deviations."""

    body: str
    group: str
    policy: float
    mean: float
    """That of always predicting the training mean."""
    by_row: tuple[float, ...]
    """The policy's, for each row of the chunk; NaN (null) where nothing is valid."""
    mean_by_row: tuple[float, ...]
    samples: int


@dataclass(frozen=True)
class Report:
    """Errors by body and action group, and their mean by body."""

    groups: Sequence[GroupError]
    bodies: dict[str, tuple[float, float]]
    """Body to the error of the policy and of the training mean, over all valid numbers."""

    def table(self) -> Table:
        """All of it, for the terminal."""
        title = "Error on held-out data, in training standard deviations"
        table = Table("body", "action", "samples", "policy", "training mean", "rows", title=title)
        for one in self.groups:
            rows = " ".join(f"{value:.2f}" for value in one.by_row[:8])
            rows += " ..." if len(one.by_row) > 8 else ""
            numbers = (f"{one.policy:.3f}", f"{one.mean:.3f}", rows)
            table.add_row(one.body, one.group, str(one.samples), *numbers)
        for body, (policy, mean) in self.bodies.items():
            table.add_row(body, "all", "", f"{policy:.3f}", f"{mean:.3f}", "")
        return table


def held_out_report(policy: Policy, sources: Sequence[Weighted], folder: Path) -> Report:
    """Measure every step of the held-out data and write held_out.json into `folder`.

    Raises:
        BadData: if there is nothing to measure for a body or an action group.
    """
    groups, bodies = [], {}
    for name in dict.fromkeys(entry.source.embodiment for entry in sources):
        entries = [entry.source for entry in sources if entry.source.embodiment == name]
        body, spec = body_of(entries[0]), window_spec(policy, name)
        windows = []
        for source in entries:
            for index in range(len(source)):
                episode = source.episode(index)
                windows += cut_all(episode, range(len(episode)), body, spec, policy.preprocess)
        if not windows:
            raise BadData(
                f"expected held-out data of '{name}', found none in "
                f"{', '.join(source.name for source in entries)}. Hold out more, or nothing."
            )
        predicted = []
        for first in range(0, len(windows), _BATCH):
            some = [window.observation for window in windows[first : first + _BATCH]]
            predicted += policy.act(some)
        total = np.zeros(3)
        for group in body.action:
            scaled = policy.body_statistics[name].action[group]
            mean, std = np.array(scaled.mean), _spread(np.array(scaled.std))
            actual = np.stack([window.action[group] for window in windows])  # (n, h, a)
            real = np.stack([window.action_valid[group] for window in windows])[..., None]
            guess = np.stack([chunk.action[group] for chunk in predicted])
            error = np.where(real, np.abs(guess - actual) / std, 0)
            base = np.where(real, np.abs(mean - actual) / std, 0)
            counts = real.sum(axis=(0, 2)) * actual.shape[-1]  # (h,)
            if not counts.any():
                raise BadData(
                    f"expected held-out actions '{group}' of '{name}' that are valid, found none "
                    f"in {', '.join(source.name for source in entries)}."
                )
            each = np.where(counts, counts, np.nan)
            groups.append(
                GroupError(
                    body=name,
                    group=group,
                    policy=float(error.sum() / counts.sum()),
                    mean=float(base.sum() / counts.sum()),
                    by_row=tuple((error.sum(axis=(0, 2)) / each).tolist()),
                    mean_by_row=tuple((base.sum(axis=(0, 2)) / each).tolist()),
                    samples=len(windows),
                )
            )
            total += (error.sum(), base.sum(), counts.sum())
        bodies[name] = (float(total[0] / total[2]), float(total[1] / total[2]))
    report = Report(groups, bodies)
    content = {"groups": report.groups, "bodies": report.bodies}
    text = msgspec.json.format(msgspec.json.encode(content), indent=1)
    (folder / "held_out.json").write_bytes(text)
    _write_table(report, folder / "held_out.md")
    return report


def _spread(std: np.ndarray) -> np.ndarray:
    """Standard deviations to divide by; a number that never changes in training counts as it is."""
    return np.where(std > 1e-9, std, 1.0)


def _write_table(report: Report, path: Path) -> None:
    lines = [
        "Mean absolute error on held-out data, divided by the training standard deviation.",
        "",
        "| body | action | row | policy | training mean |",
        "|---|---|---|---|---|",
    ]
    for one in report.groups:
        for row, (ours, mean) in enumerate(zip(one.by_row, one.mean_by_row, strict=True)):
            lines.append(f"| {one.body} | {one.group} | {row + 1} | {ours:.3f} | {mean:.3f} |")
    for body, (ours, mean) in report.bodies.items():
        lines.append(f"| {body} | all | all | {ours:.3f} | {mean:.3f} |")
    path.write_text("\n".join(lines) + "\n")
