"""Make samples in this process; `Workers` does the same in others."""

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from octoverse.data.assembly import Assembler, Made, Place, Setting, rows_of
from octoverse.data.windows import StackedWindows


class Inline:
    """Makes steps in this process: when they are asked for, or in a thread ahead of that."""

    def __init__(self, setting: Setting, ahead: int) -> None:
        self._setting, self._assembler = setting, Assembler(setting)
        self._pool = ThreadPoolExecutor(1) if ahead else None
        self._depth = max(ahead, 1)
        self._under_way: deque[Callable[[], Any]] = deque()

    @property
    def free(self) -> int:
        """How many more steps can be asked for."""
        return self._depth - len(self._under_way)

    def submit(self, places: Sequence[Place]) -> None:
        """Ask for one step."""
        if self._pool is None:
            self._under_way.append(lambda: self._make(places))
        else:
            found: Future[Any] = self._pool.submit(self._make, places)
            self._under_way.append(found.result)

    def collect(self) -> tuple[dict[str, StackedWindows], Made]:
        """The oldest step asked for."""
        found: tuple[dict[str, StackedWindows], Made] = self._under_way.popleft()()
        return found

    def close(self) -> None:
        """End the thread."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def _make(self, places: Sequence[Place]) -> tuple[dict[str, StackedWindows], Made]:
        rows = rows_of(places)
        batch = {body: self._setting.empty(body, count) for body, count in rows.items()}
        return batch, self._assembler.make(places, batch)
