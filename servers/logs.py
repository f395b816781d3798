"""The server's log: what is logged goes to stderr and into a file, and nobody waits for it.

A thread of its own writes, so a slow disk or a terminal that nobody reads holds up no robot. What
comes faster than it can be written is dropped and counted; what comes again and again is told
fifty times in ten seconds, and then how many more there were.
"""

import logging
import queue
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from octoverse.servers.log_file import LogFile
from octoverse.servers.log_lines import Event, event_of, write

_OF_A_KIND = 50
_WINDOW_S = 10.0
_WAITING = 10_000
_LAST_WORDS_S = 5.0


@dataclass
class _Kind:
    """What one place in the code logs, with one fault code if it has any."""

    began: float
    """When the ten seconds began in which events are counted."""
    written: int = 0
    suppressed: int = 0
    first: Event | None = None
    """Of those suppressed."""


class Journal(logging.Handler):
    """While it is entered, writes what any logger says from INFO on.

    Args:
        file: Where the lines go beside stderr.
        clock: Monotonic time [s].
    """

    def __init__(
        self, file: LogFile | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(logging.INFO)
        self._file, self._clock = file, clock
        self._dropped = 0
        self._kinds: dict[tuple[object, ...], _Kind] = {}
        self._lines: queue.Queue[str | None] = queue.Queue(_WAITING)
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)

    @property
    def lost(self) -> int:
        """Lines that could not be written, or not fast enough."""
        return self._dropped + (self._file.lost if self._file else 0)

    def __enter__(self) -> "Journal":
        root = logging.getLogger()
        self._level_before = root.level
        root.setLevel(logging.INFO)
        root.addHandler(self)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        root = logging.getLogger()
        root.removeHandler(self)
        root.setLevel(self._level_before)
        self._tell_suppressed(float("inf"))
        with suppress(queue.Full):
            self._lines.put(None, timeout=_LAST_WORDS_S)
        self._thread.join(_LAST_WORDS_S)
        self.close()

    def emit(self, record: logging.LogRecord) -> None:
        """Let a record be written, unless there are too many of its kind."""
        now = self._clock()
        self._tell_suppressed(now)
        of = (record.pathname, record.lineno, getattr(record, "code", None))
        kind = self._kinds.setdefault(of, _Kind(now))
        if now - kind.began >= _WINDOW_S:
            kind.began, kind.written = now, 0
        try:
            if kind.written < _OF_A_KIND:
                kind.written += 1
                self._put(event_of(record))
            else:
                kind.suppressed += 1
                kind.first = kind.first or event_of(record)
        except Exception:
            self.handleError(record)

    def _tell_suppressed(self, now: float) -> None:
        self.acquire()
        try:
            for kind in self._kinds.values():
                if kind.first and now - kind.began >= _WINDOW_S:
                    more = {"suppressed": str(kind.suppressed - 1)} if kind.suppressed > 1 else {}
                    self._put(replace(kind.first, fields={**kind.first.fields, **more}))
                    kind.suppressed, kind.first = 0, None
        finally:
            self.release()

    def _put(self, event: Event) -> None:
        try:
            self._lines.put_nowait(write(event) + "\n")
        except queue.Full:
            self._dropped += 1

    def _run(self) -> None:
        while True:
            try:
                line = self._lines.get(timeout=1.0)
            except queue.Empty:
                self._tell_suppressed(self._clock())
                continue
            if line is None:
                break
            with suppress(OSError, ValueError):
                sys.stderr.write(line)
                sys.stderr.flush()
            if self._file:
                self._file.write(line)
        if self._file:
            self._file.close()
