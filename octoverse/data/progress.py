"""Show what is done, how far it is, how fast it goes and how long it still takes."""

import time
from types import TracebackType

from rich.progress import (
    BarColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


class Bar:
    """One line that grows.

    Args:
        what: Such as "Converting bridge".
        total: How many episodes there are.
        done: How many were done before this process began.
        quiet: Show nothing.
    """

    def __init__(self, what: str, total: int, done: int = 0, quiet: bool = False) -> None:
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            TextColumn("{task.completed:,.0f}/{task.total:,.0f} episodes{task.fields[rate]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(compact=True),
            disable=quiet,
        )
        self._task = self._progress.add_task(what, total=total, completed=done, rate="")
        self._began, self._steps = time.monotonic(), 0

    def __enter__(self) -> "Bar":
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def advance(self, episodes: int, steps: int) -> None:
        """Tell that so many more are done."""
        self._steps += steps
        rate = self._steps / max(time.monotonic() - self._began, 1e-9)
        self._progress.update(self._task, advance=episodes, rate=f", {rate:,.0f} steps/s")

    def say(self, text: str) -> None:
        """Print a line above the bar, also where no progress is shown."""
        self._progress.console.print(text, style="yellow", markup=False, highlight=False)
