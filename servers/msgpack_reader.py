"""Read msgpack that strangers send: every count, depth and length is checked before it is used.

Nothing is copied but words: bytes are looked at where they lie.
"""

import struct
from collections.abc import Callable
from typing import Any

from octoverse.errors import BadMessage

ITEMS = 2048
"""Values in one message, keys included."""
DEPTH = 8
"""Maps and lists within each other."""
TEXT_BYTES = 4096
"""One text."""
KEY_BYTES = 256


def read(data: bytes | memoryview, made: Callable[[dict[Any, Any]], Any]) -> Any:
    """Read one message.

    Args:
        data: All of it, and no more; it must not change any more.
        made: What becomes of each map, once it is complete.

    Returns:
        None, bool, int, float, str, list, what `made` gave, and bytes as views of `data`.

    Raises:
        BadMessage: in words, for whatever is not one message within the bounds.
    """
    reader = _Reader(memoryview(data).toreadonly(), made)
    value = reader.value(0)
    if reader.at != len(data):
        raise BadMessage(f"message: expected it to end at byte {reader.at}, got {len(data)} bytes.")
    return value


class _Reader:
    def __init__(self, data: memoryview, made: Callable[[dict[Any, Any]], Any]) -> None:
        self.at = 0
        self._data, self._made, self._left = data, made, ITEMS

    def value(self, depth: int) -> Any:
        """Read what comes next."""
        self._count(1)
        tag = self._take(1)[0]
        if tag < 0x80:
            return tag
        if tag < 0x90:
            return self._map(tag & 0x0F, depth)
        if tag < 0xA0:
            return self._list(tag & 0x0F, depth)
        if tag < 0xC0:
            return self._text(tag & 0x1F)
        if tag >= 0xE0:
            return tag - 0x100
        match tag:
            case 0xC0:
                return None
            case 0xC2 | 0xC3:
                return tag == 0xC3
            case 0xC4 | 0xC5 | 0xC6:
                return self._take(self._number(1 << tag - 0xC4))
            case 0xCA:
                return struct.unpack(">f", self._take(4))[0]
            case 0xCB:
                return struct.unpack(">d", self._take(8))[0]
            case 0xCC | 0xCD | 0xCE | 0xCF:
                return self._number(1 << tag - 0xCC)
            case 0xD0 | 0xD1 | 0xD2 | 0xD3:
                return self._number(1 << tag - 0xD0, signed=True)
            case 0xD9 | 0xDA | 0xDB:
                return self._text(self._number(1 << tag - 0xD9))
            case 0xDC | 0xDD:
                return self._list(self._number(2 << tag - 0xDC), depth)
            case 0xDE | 0xDF:
                return self._map(self._number(2 << tag - 0xDE), depth)
        raise BadMessage(
            f"message: expected maps, lists, texts, numbers and bytes, got a byte {tag:#04x}, "
            "which begins none of them."
        )

    def _map(self, length: int, depth: int) -> Any:
        self._enter(2 * length, depth)
        found: dict[Any, Any] = {}
        for _ in range(length):
            key = self.value(depth + 1)
            if isinstance(key, memoryview) and len(key) <= KEY_BYTES:
                key = bytes(key)
            if not isinstance(key, str | bytes) or len(key) > KEY_BYTES:
                raise BadMessage(
                    f"message: expected keys of at most {KEY_BYTES} letters, "
                    f"got a {type(key).__name__}."
                )
            if key in found:
                raise BadMessage(f"message: expected the key {key!r} once, got it twice.")
            found[key] = self.value(depth + 1)
        return self._made(found)

    def _list(self, length: int, depth: int) -> list[Any]:
        self._enter(length, depth)
        return [self.value(depth + 1) for _ in range(length)]

    def _text(self, length: int) -> str:
        if length > TEXT_BYTES:
            raise BadMessage(f"text: expected at most {TEXT_BYTES} bytes, got {length}.")
        try:
            return str(self._take(length), "utf-8")
        except UnicodeDecodeError as error:
            raise BadMessage(f"text: expected UTF-8, got other bytes: {error}.") from error

    def _number(self, size: int, *, signed: bool = False) -> int:
        return int.from_bytes(self._take(size), signed=signed)

    def _enter(self, length: int, depth: int) -> None:
        if depth >= DEPTH:
            raise BadMessage(f"message: expected at most {DEPTH} levels, got more.")
        if length > self._left:
            self._count(length)

    def _count(self, values: int) -> None:
        self._left -= values
        if self._left < 0:
            raise BadMessage(f"message: expected at most {ITEMS} values, got more.")

    def _take(self, length: int) -> memoryview:
        end = self.at + length
        if end > len(self._data):
            raise BadMessage(
                f"message: expected {length} bytes from byte {self.at} on, "
                f"got an end after {len(self._data)}."
            )
        taken, self.at = self._data[self.at : end], end
        return taken
