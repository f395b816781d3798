"""Read a serialised tf.train.Example without TensorFlow or protobuf; bytes stay where they are.

Source: tensorflow/tensorflow, tensorflow/core/example/feature.proto; protobuf's "Encoding" page.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import Any

import numpy as np

from octoverse.errors import BadData

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FIRST_BYTES = 1 << 3 | _BYTES
"""The byte before each string of a list of them."""

Content = bytes | memoryview


class Pieces(Sequence[bytes]):
    """Byte strings of one feature, left where they lie in the record."""

    def __init__(self, content: Content, starts: Sequence[int], sizes: Sequence[int]) -> None:
        self.content, self.starts, self.sizes = content, starts, sizes

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        start = self.starts[index]
        return bytes(self.content[start : start + self.sizes[index]])


Values = Sequence[bytes] | np.ndarray
"""What one feature holds: byte strings, float32 (n,) or int64 (n,)."""


def parse(content: Content, wanted: Collection[str] | None = None) -> dict[str, Values]:
    """The features of one example, by name.

    Args:
        content: The serialised example.
        wanted: Names of the features to read; None for all of them.

    Raises:
        BadData: if the bytes are no tf.train.Example.
    """
    try:
        return {
            name: _feature(content, start, stop)
            for name, start, stop in _entries(content)
            if wanted is None or name in wanted
        }
    except (IndexError, KeyError, ValueError) as error:
        raise BadData(
            f"Expected a tf.train.Example, got {len(content)} bytes that are none: {error}."
        ) from error


def names(content: Content) -> list[str]:
    """The names of an example's features, in order; none if the bytes are no example."""
    try:
        return sorted(name for name, _, _ in _entries(content))
    except (IndexError, KeyError, ValueError):
        return []


def _entries(content: Content) -> Iterator[tuple[str, int, int]]:
    """Name of every feature, and where its values lie."""
    for _, start, stop in _fields(content, 0, len(content), 1):
        for _, first, last in _fields(content, start, stop, 1):
            parts = {number: place for number, *place in _fields(content, first, last)}
            here, end = parts[1]
            value = parts.get(2, [last, last])
            yield str(content[here:end], "utf-8"), value[0], value[1]


def _feature(content: Content, start: int, stop: int) -> Values:
    for kind, first, last in _fields(content, start, stop):
        if kind == 1:
            return _pieces(content, first, last)
        if kind == 2:
            return _floats(content, first, last)
        if kind == 3:
            return _integers(content, first, last)
    return Pieces(content, [], [])


def _pieces(content: Content, here: int, stop: int) -> Pieces:
    """Images come by the thousand, so this loop is written out."""
    starts, sizes = [], []
    while here < stop:
        if content[here] != _FIRST_BYTES:
            raise ValueError(f"no byte string at byte {here}")
        size = content[here + 1]
        here += 2
        if size >= 128:
            size, here = _varint(content, here - 1)
        starts.append(here)
        sizes.append(size)
        here += size
    if here > stop:
        raise ValueError(f"a byte string ends {here - stop} bytes after its list")
    return Pieces(content, starts, sizes)


def _floats(content: Content, start: int, stop: int) -> np.ndarray:
    parts = [
        np.frombuffer(bytes(content[first:last]), "<f4")
        for _, first, last in _fields(content, start, stop, 1)
    ]
    return _joined(parts, np.float32)


def _integers(content: Content, start: int, stop: int) -> np.ndarray:
    parts = [
        _varints(np.frombuffer(content[first:last], np.uint8))
        for _, first, last in _fields(content, start, stop, 1)
    ]
    return _joined(parts, np.int64)


def _joined(parts: list[np.ndarray], dtype: type) -> np.ndarray:
    if len(parts) == 1:
        return parts[0]
    return np.concatenate(parts) if parts else np.zeros(0, dtype)


def _varints(raw: np.ndarray) -> np.ndarray:
    """Packed variable-length integers, each seven bits a byte, least significant first."""
    last = raw < 128
    if raw.size and not last[-1]:
        raise ValueError("a number ends in the middle")
    if last.all():
        return raw.astype(np.int64)
    starts = np.concatenate([[0], np.flatnonzero(last)[:-1] + 1])
    place = np.arange(raw.size) - np.repeat(starts, np.diff(np.append(starts, raw.size)))
    if place.max() > 9:
        raise ValueError("a number is longer than 10 bytes")
    bits = (raw & 127).astype(np.uint64) << (7 * place).astype(np.uint64)
    return np.bitwise_or.reduceat(bits, starts).view(np.int64)


def _fields(
    content: Content, here: int, stop: int, wanted: int | None = None
) -> Iterator[tuple[int, int, int]]:
    """Fields of one message as (number, start, stop); unpacked numbers come as their bytes."""
    while here < stop:
        tag, here = _varint(content, here)
        number, kind = tag >> 3, tag & 7
        if kind == _BYTES:
            length, start = _varint(content, here)
            here = start + length
        elif kind == _VARINT:
            start = here
            _, here = _varint(content, here)
        elif kind in (_FIXED32, _FIXED64):
            start, here = here, here + (4 if kind == _FIXED32 else 8)
        else:
            raise ValueError(f"wire type {kind} at byte {here}")
        if here > stop:
            raise ValueError(f"a field of {here - start} bytes ends after {stop - start}")
        if wanted is None or number == wanted:
            yield number, start, here


def _varint(content: Content, here: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = content[here]
        here += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, here
        shift += 7
        if shift > 63:
            raise ValueError("a number is longer than 10 bytes")
