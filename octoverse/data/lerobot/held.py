"""Things that are dear to open, kept while they are in use: bounded, and of one process."""

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")

File = tuple[Path, int, int]
"""A path with its file's size [bytes] and time [ns]: a file that is replaced is opened anew."""


def file_key(path: Path) -> File:
    """What to hold an open file under.

    Raises:
        OSError: if there is no such file.
    """
    found = os.stat(path)
    return path, found.st_size, found.st_mtime_ns


class Held(Generic[Key, Value]):
    """The values that were asked for last, made where they are not held.

    A forked process begins with none: decoders and file positions cannot be shared.

    Args:
        make: From a key to its value; may raise.
        limit: How much is held at most; the newest value is held whatever its size.
        size: How much one value counts.
    """

    def __init__(
        self,
        make: Callable[[Key], Value],
        limit: int,
        size: Callable[[Value], int] = lambda value: 1,
    ) -> None:
        self.limit = limit
        self._make, self._size = make, size
        self._left: list[object] = []
        self._forget()

    def _forget(self) -> None:
        self._process, self._lock, self.held = os.getpid(), threading.Lock(), 0
        self._values: OrderedDict[Key, tuple[Value, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: Key) -> Value:
        """The value of a key."""
        if self._process != os.getpid():
            # Not closed: that may wait for threads which the fork did not bring along.
            self._left.append(self._values)
            self._forget()
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key][0]
        value = self._make(key)
        with self._lock:
            if key not in self._values:
                self._values[key] = value, self._size(value)
                self.held += self._values[key][1]
            while self.held > self.limit and len(self._values) > 1:
                self.held -= self._values.popitem(last=False)[1][1]
        return value
