"""What a policy server did under load: rates, times, batches, refusals and fairness."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table
from rich.text import Text

from octoverse.cli.bench.load import LOST, Outcome

_ALWAYS_TOLD = ("overloaded", "stale", LOST)
_TIMES = {
    "round trip": "total_ms",
    "way there and back, client": "",
    "server": "server_ms",
    "  prepared": "prepared_ms",
    "  queued": "queued_ms",
    "  inference": "inference_ms",
}
_PERCENT = (50, 95, 99)


class Figures:
    """Gathers outcomes; may be looked at any time.

    Args:
        clients: How many ask.
        title: Stands above.
    """

    def __init__(self, clients: int, title: str) -> None:
        self.clients, self.title = clients, title
        self.faults: Counter[str] = Counter()
        """Code, or LOST, to how often."""
        self._answers: list[np.ndarray] = []

    def add(self, outcomes: Sequence[Outcome]) -> None:
        """Take some in."""
        self.faults.update(one.fault for one in outcomes if one.fault)
        rows = [(one.client, *one[2:]) for one in outcomes if not one.fault]
        if rows:
            self._answers.append(np.array(rows, np.float64))

    @property
    def answered(self) -> int:
        """Requests that were answered with actions."""
        return sum(map(len, self._answers))

    def percentiles(self) -> dict[str, tuple[float, ...]]:
        """What the times were at 50, 95 and 99 % [ms]; NaN before the first answer."""
        columns = self._columns()
        columns[""] = columns["total_ms"] - columns["server_ms"]
        return {
            words: tuple(np.percentile(columns[name], _PERCENT))
            if self._answers
            else (np.nan,) * len(_PERCENT)
            for words, name in _TIMES.items()
        }

    def shares(self) -> tuple[float, float]:
        """What the slowest and the fastest client got, as multiples of a fair share."""
        if not self._answers:
            return np.nan, np.nan
        counts = np.bincount(self._columns()["client"].astype(np.int64), minlength=self.clients)
        fair = self.answered / self.clients
        return float(counts.min() / fair), float(counts.max() / fair)

    def draw(self, elapsed: float) -> Group:
        """All of it for the terminal, after so many seconds of asking."""
        table = Table(box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
        table.add_column("ms")
        for percent in _PERCENT:
            table.add_column(f"p{percent}", justify="right")
        for words, found in self.percentiles().items():
            table.add_row(words, *(f"{value:.2f}" for value in found))
        return Group(Text(self.title, style="bold"), table, Text("\n".join(self._lines(elapsed))))

    def _lines(self, elapsed: float) -> list[str]:
        columns, seconds = self._columns(), max(elapsed, 1e-9)
        batch, (slowest, fastest) = columns["batch"], self.shares()
        told = {name: self.faults[name] for name in dict.fromkeys((*_ALWAYS_TOLD, *self.faults))}
        sent, received = (columns[name].sum() / seconds / 1e6 for name in ("sent", "received"))
        lines = [
            f"{self.answered} answers in {elapsed:.1f} s: {self.answered / seconds:.1f} requests/s",
            f"not answered: {', '.join(f'{count} {name}' for name, count in told.items())}",
            f"arrays: {sent:.2f} MB/s there, {received:.2f} MB/s back",
        ]
        if len(batch):
            lines.append(
                f"batches: {batch.mean():.1f} requests as one sees it, at most {batch.max():.0f}"
            )
            lines.append(
                f"of a fair share: the slowest client {slowest:.2f}, the fastest {fastest:.2f}"
            )
        return lines

    def _columns(self) -> dict[str, np.ndarray]:
        names = ["client", *Outcome._fields[2:]]
        found = np.concatenate(self._answers) if self._answers else np.empty((0, len(names)))
        return dict(zip(names, found.T, strict=True))
