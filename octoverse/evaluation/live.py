"""The robots at work, live in a terminal of 80 columns or more."""

import time
from collections.abc import Mapping

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.live import Live as Screen
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from octoverse.evaluation.evaluate import Evaluation
from octoverse.evaluation.robot import Done, Live

_IDLE_AFTER_S = 1.0
_WORDS = {"expert": "expert", "random": "chance"}


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
        self._finished: dict[int, float] = {}
        self._bar = Progress(
            TextColumn("episodes"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
        )
        self._task = self._bar.add_task("", total=len(evaluation.jobs()))
        self._screen = Screen(
            get_renderable=self.draw, console=console, refresh_per_second=5, transient=True
        )

    def tell(self, said: Live | Done) -> None:
        """Take in what a robot says."""
        if isinstance(said, Live):
            self._robots[said.robot] = said
            self._finished.pop(said.robot, None)
            return
        self._finished[said.robot] = time.monotonic()
        self._bar.advance(self._task)
        spec = said.job.environment
        done = self._evaluation.of(spec, said.job.driver)
        if not self._console.is_terminal and len(done) == self._evaluation.episodes:
            successes = sum(one.success for one in done)
            self._console.print(f"{spec.row} ({said.job.driver}): {successes} of {len(done)}")

    def draw(self) -> Group:
        """What stands in the terminal now."""
        idle = time.monotonic() - _IDLE_AFTER_S
        robots = {
            number: None if self._finished.get(number, idle) < idle else live
            for number, live in self._robots.items()
        }
        return Group(
            Text(self._title, style="bold"),
            robots_table(robots, self._evaluation),
            Text(so_far(self._evaluation)),
            self._bar,
        )

    def __enter__(self) -> "Board":
        if self._console.is_terminal:
            self._screen.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._screen.stop()


def robots_table(robots: Mapping[int, Live | None], evaluation: Evaluation) -> Table:
    """One line for each robot: who does what, how well so far, how fast; None for an idle one."""
    table = Table(box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    for name in ("", "body", "instruction", "row", "episode", "success"):
        table.add_column(name, no_wrap=True)
    for name in ("Hz", "latency"):
        table.add_column(name, justify="right", no_wrap=True)
    for number, live in sorted(robots.items()):
        if live is None:
            table.add_row(str(number), "idle")
            continue
        spec, driver = live.job.environment, live.job.driver
        done = evaluation.of(spec, driver)
        table.add_row(
            str(number),
            spec.embodiment,
            live.instruction,
            spec.row,
            f"{live.job.seed + 1}/{evaluation.episodes}",
            f"{sum(one.success for one in done)} of {len(done)}",
            f"{live.hz:.0f}",
            f"{live.latency_ms:.0f} ms" if driver == "policy" else _WORDS[driver],
        )
    return table


def so_far(evaluation: Evaluation) -> str:
    """The policy's successes in every row, in one line."""
    counts = []
    for spec in evaluation.specs:
        done = evaluation.of(spec)
        counts.append(f"{spec.row} {sum(one.success for one in done)} of {len(done)}")
    return "So far: " + ", ".join(counts)
