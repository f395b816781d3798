"""What a process keeps of what is dear to make: the values used last, within a bound in bytes.

Sources share one such memory, `SOURCES`, so that one setting bounds what all of them keep of opened
episodes, files and decoders.
"""

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any, TypeVar

Value = TypeVar("Value")

File = tuple[Path, int, int]
"""A path with its file's size [bytes] and time [ns]: a file that is replaced is opened anew."""


def file_key(path: Path) -> File:
    """What to keep an open file under.

    Raises:
        OSError: if there is no such file.
    """
    found = os.stat(path)
    return path, found.st_size, found.st_mtime_ns


class Kept:
    """Values by key; those not used for longest go first. May be used by several threads.

    A forked process begins with nothing: decoders and file positions cannot be shared.

    Args:
        limit: Bytes that all values together may take, or how many of them there may be (`single`);
            the newest is kept whatever its size.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._left: list[object] = []
        self._forget()

    def _forget(self) -> None:
        self._process, self._lock, self.nbytes = os.getpid(), threading.Lock(), 0
        self._values: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._values)

    def find(self, key: Hashable) -> Any | None:
        """The value of a key, or None where it is not kept."""
        if self._process != os.getpid():
            # Not closed: that may wait for threads which the fork did not bring along.
            self._left.append(self._values)
            self._forget()
        with self._lock:
            known = self._values.get(key)
            if known is None:
                return None
            self._values.move_to_end(key)
            return known[0]

    def get(self, key: Hashable, make: Callable[[], Value], size: Callable[[Value], int]) -> Value:
        """The value of a key, made where it is not kept.

        Args:
            key: Also says of what kind the value is, where several share the memory.
            make: Makes it; what it raises goes to the caller, and nothing is kept.
            size: Bytes that a value takes.
        """
        found: Value | None = self.find(key)
        if found is not None:
            return found
        made = make()
        with self._lock:
            if key not in self._values:
                self._values[key] = made, size(made)
                self.nbytes += self._values[key][1]
            while self.nbytes > self.limit and len(self._values) > 1:
                self.nbytes -= self._values.popitem(last=False)[1][1]
        return made


def single(value: object) -> int:
    """The size of anything, where a limit is a number of values."""
    return 1


SOURCES = Kept(256 * 2**20)
"""Of all sources that this process reads."""
