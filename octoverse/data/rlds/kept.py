"""What one process keeps of the records that it has read, within a bound in bytes."""

import os
import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Any


class Kept:
    """Values by key; the least recently used are dropped first. May be used by several threads.

    Args:
        bound: Bytes that all values together may take; a larger value is not kept.
    """

    def __init__(self, bound: int) -> None:
        self.bound = bound
        self._entries: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._size = 0
        self._renew()
        # Another thread may hold the lock while a process forks.
        os.register_at_fork(after_in_child=self._renew)

    @property
    def size(self) -> int:
        """Bytes that all values together take."""
        return self._size

    def get(self, key: Hashable) -> Any | None:
        """The value of a key, or None."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                return None
            self._entries.move_to_end(key)
            return entry[0]

    def put(self, key: Hashable, value: Any, size: int) -> None:
        """Keep a value of so many bytes."""
        with self._lock:
            _, before = self._entries.pop(key, (None, 0))
            self._size -= before
            if size > self.bound:
                return
            self._entries[key] = (value, size)
            self._size += size
            while self._size > self.bound:
                _, (_, dropped) = self._entries.popitem(last=False)
                self._size -= dropped

    def _renew(self) -> None:
        self._lock = threading.Lock()
