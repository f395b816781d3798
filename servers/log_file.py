"""A log's file: bounded in size, and a full disk under it disturbs nobody."""

import os
import stat
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

_RETRY_S = 10.0


class LogFile:
    """Appends lines to a file and puts it aside when it is full: FILE.1 is the last before it.

    What cannot be written is counted and lost. That is said once on stderr, as is that it goes on.

    Args:
        path: The file; it is made if it is not there.
        limit_bytes: Of one file; a longer line has a file of its own.
        kept: How many files are kept beside it.
        clock: Monotonic time [s].

    Raises:
        OSError: if it cannot be opened to begin with.
    """

    def __init__(
        self,
        path: Path,
        *,
        limit_bytes: int = 16 * 2**20,
        kept: int = 4,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.path = path
        self.lost = 0
        """Lines that could not be written."""
        self._limit, self._kept, self._clock = limit_bytes, kept, clock
        self._file: int | None = None
        self._again: float | None = None
        """When a file that could not be written is tried again, None if all is well."""
        self._open()

    def write(self, line: str) -> None:
        """Append a line, given with its end; never raises for what the disk does."""
        if self._again is not None and self._clock() < self._again:
            self.lost += 1
            return
        try:
            self._append(line.encode("utf-8", "backslashreplace"))
        except OSError as error:
            self.lost += 1
            if self._again is None:
                self._say(f"cannot be written: {error.strerror or error}. Serving goes on")
            self._again = self._clock() + _RETRY_S
            self.close()
        else:
            if self._again is not None:
                self._say(f"is written again; lines lost so far: {self.lost}")
            self._again = None

    def close(self) -> None:
        """Close the file; writing opens it again."""
        file, self._file = self._file, None
        if file is not None:
            with suppress(OSError):
                os.close(file)

    def _open(self) -> int:
        if self._file is None:
            self._file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
        return self._file

    def _append(self, data: bytes) -> None:
        file = self._open()
        status = os.fstat(file)
        ordinary = stat.S_ISREG(status.st_mode)
        if ordinary and status.st_size and status.st_size + len(data) > self._limit:
            self.close()
            self._put_aside()
            file, status = self._open(), os.fstat(self._open())
        written = os.write(file, data)
        if written < len(data):
            if ordinary:
                os.ftruncate(file, status.st_size)  # half a line would be read as none
            raise OSError(f"only {written} of {len(data)} bytes had room")

    def _put_aside(self) -> None:
        for number in range(self._kept - 1, 0, -1):
            with suppress(FileNotFoundError):
                os.replace(self._aside(number), self._aside(number + 1))
        os.replace(self.path, self._aside(1))

    def _aside(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")

    def _say(self, words: str) -> None:
        with suppress(OSError, ValueError):
            print(f"octoverse: the log {self.path} {words}.", file=sys.stderr, flush=True)
