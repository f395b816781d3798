"""The report on held-out data: for people as tables, for programs as JSON."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
from rich.table import Table

TITLE = "Error on held-out data, in training standard deviations"
_SEEN = " (trained on)"


class GroupError(msgspec.Struct, frozen=True, kw_only=True):
    """Error of one action group in one data set."""

    body: str
    data: str
    group: str
    policy: float
    mean: float
    """That of always predicting the training mean."""
    by_row: tuple[float, ...]
    """The policy's, for each row of the chunk; NaN (null) where nothing is valid."""
    mean_by_row: tuple[float, ...]
    samples: int
    seen: bool = False
    """Whether the policy was trained on this data."""


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """The policy beside one simple prediction, on the same numbers of the same samples."""

    body: str
    data: str
    against: str
    """Which simple prediction."""
    seconds: float
    """How far ahead both are judged."""
    policy: float
    simple: float
    samples: int
    seen: bool = False
    """Whether the policy was trained on this data."""


@dataclass(frozen=True)
class Report:
    """Errors by data set: of each action group, and of all beside simple predictions."""

    groups: Sequence[GroupError]
    comparisons: Sequence[Comparison]

    def of(self, body: str, against: str) -> Comparison:
        """The first comparison of a body with one simple prediction."""
        return next(c for c in self.comparisons if (c.body, c.against) == (body, against))

    def table(self) -> Table:
        """The comparisons, for the terminal; body and samples are left to the files."""
        table = Table("data", "ahead", "policy", "", "against", title=TITLE, box=None)
        for _, data, _, *rest in self._rows():
            table.add_row(data, *rest)
        return table

    def write(self, folder: Path) -> None:
        """Write held_out.json and held_out.md."""
        content = {"groups": self.groups, "comparisons": self.comparisons}
        text = msgspec.json.format(msgspec.json.encode(content), indent=1)
        (folder / "held_out.json").write_bytes(text)
        (folder / "held_out.md").write_text(self.markdown())

    def markdown(self) -> str:
        """Everything."""
        lines = [f"{TITLE}.", "", "| body | data | samples | ahead | policy | | against |"]
        lines.append("|---|---|---|---|---|---|---|")
        lines += [f"| {' | '.join(row)} |" for row in self._rows()]
        lines += ["", "Row by row of a chunk:", ""]
        lines += ["| body | data | action | row | policy | training mean |"]
        lines += ["|---|---|---|---|---|---|"]
        for one in self.groups:
            for row, (ours, mean) in enumerate(zip(one.by_row, one.mean_by_row, strict=True)):
                place = f"| {one.body} | {one.data} | {one.group} | {row + 1} |"
                lines.append(f"{place} {ours:.3f} | {mean:.3f} |")
        return "\n".join(lines) + "\n"

    def _rows(self) -> list[tuple[str, ...]]:
        return [
            (
                one.body,
                one.data + _SEEN * one.seen,
                str(one.samples),
                f"{one.seconds:.2g} s",
                f"{one.policy:.3f}",
                f"{one.simple:.3f}",
                one.against,
            )
            for one in self.comparisons
        ]
