"""The robots at work, live in a terminal."""

from collections.abc import Mapping
from types import TracebackType

from rich.console import Console, Group
from rich.live import Live as Screen
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from octoverse.evaluation.evaluate import Evaluation
from octoverse.evaluation.robot import Done, Live


class Board:
    """A table of robots that is drawn anew as they go on; without a terminal, a line per row.

    Args:
        evaluation: Whose episodes they play.
        title: Stands above.
        console: Where to draw.
    """

    def __init__(self, evaluation: Evaluation, title: str, console: Console) -> None:
        self._evaluation, self._title, self._console = evaluation, title, console
        self._robots: dict[int, Live] = {}
        self._bar = Progress(
            TextColumn("episodes"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
        )
        self._task = self._bar.add_task("", total=len(evaluation.jobs()))
        self._screen = Screen(
            get_renderable=self._draw, console=console, refresh_per_second=5, transient=True
        )

    def tell(self, said: Live | Done) -> None:
        """Take in what a robot says."""
        if isinstance(said, Live):
            self._robots[said.robot] = said
            return
        self._bar.advance(self._task)
        spec = said.job.environment
        done = self._evaluation.of(spec, said.job.driver)
        if not self._console.is_terminal and len(done) == self._evaluation.episodes:
            successes = sum(one.success for one in done)
            self._console.print(f"{spec.row} ({said.job.driver}): {successes} of {len(done)}")

    def __enter__(self) -> "Board":
        if self._console.is_terminal:
            self._screen.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._screen.stop()

    def _draw(self) -> Group:
        return Group(robots_table(self._robots, self._evaluation, self._title), self._bar)


def robots_table(robots: Mapping[int, Live], evaluation: Evaluation, title: str) -> Table:
    """One line for each robot: who does what, how well so far, how fast."""
    table = Table(
        "robot", "body", "instruction", "row", "episode", "step", "success so far", title=title
    )
    for name in ("Hz", "latency"):
        table.add_column(name, justify="right")
    for number, live in sorted(robots.items()):
        spec, driver = live.job.environment, live.job.driver
        done = evaluation.of(spec, driver)
        table.add_row(
            str(number),
            spec.embodiment,
            live.instruction,
            spec.row if driver == "policy" else f"{spec.row} ({driver})",
            f"{live.job.seed + 1}/{evaluation.episodes}",
            str(live.step),
            f"{sum(one.success for one in done)} of {len(done)}",
            f"{live.hz:.0f}",
            f"{live.latency_ms:.0f} ms" if driver == "policy" else "",
        )
    return table
