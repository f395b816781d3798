"""Read a serialised tf.train.Example without TensorFlow or protobuf; bytes stay as they are.

Source: tensorflow/tensorflow, tensorflow/core/example/feature.proto; protobuf's "Encoding" page.
"""

from collections.abc import Iterator

import numpy as np

from octoverse.errors import BadData

Values = list[bytes] | np.ndarray
"""What one feature holds: byte strings, float32 (n,) or int64 (n,)."""

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def parse(content: bytes) -> dict[str, Values]:
    """The features of one example, by name.

    Raises:
        BadData: if the bytes are no tf.train.Example.
    """
    found: dict[str, Values] = {}
    try:
        view = memoryview(content)
        for _, features in _fields(view, 1):
            for _, entry in _fields(features, 1):
                parts = dict(_fields(entry))
                found[bytes(parts[1]).decode()] = _feature(parts.get(2, memoryview(b"")))
    except (IndexError, KeyError, ValueError) as error:
        raise BadData(
            f"Expected a tf.train.Example, got {len(content)} bytes that are none: {error}."
        ) from error
    return found


def _feature(view: memoryview) -> Values:
    for kind, values in _fields(view):
        if kind == 1:
            return [bytes(value) for _, value in _fields(values, 1)]
        if kind == 2:
            return _floats(values)
        if kind == 3:
            return _integers(values)
    return []


def _floats(view: memoryview) -> np.ndarray:
    parts = [np.frombuffer(value, "<f4") for _, value in _fields(view, 1)]
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)


def _integers(view: memoryview) -> np.ndarray:
    parts = [_varints(value) for _, value in _fields(view, 1)]
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)


def _varints(view: memoryview) -> np.ndarray:
    """Packed variable-length integers, each seven bits a byte, least significant first."""
    raw = np.frombuffer(view, np.uint8)
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


def _fields(view: memoryview, wanted: int | None = None) -> Iterator[tuple[int, memoryview]]:
    """Fields of one message as (number, content); unpacked numbers come as their bytes."""
    here, size = 0, len(view)
    while here < size:
        tag, here = _varint(view, here)
        number, kind = tag >> 3, tag & 7
        if kind == _BYTES:
            length, start = _varint(view, here)
            here = start + length
        elif kind == _VARINT:
            start = here
            _, here = _varint(view, here)
        elif kind in (_FIXED32, _FIXED64):
            start, here = here, here + (4 if kind == _FIXED32 else 8)
        else:
            raise ValueError(f"wire type {kind} at byte {here}")
        if here > size:
            raise ValueError(f"a field of {here - start} bytes ends after {size - start}")
        if wanted is None or number == wanted:
            yield number, view[start:here]


def _varint(view: memoryview, here: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = view[here]
        here += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, here
        shift += 7
        if shift > 63:
            raise ValueError("a number is longer than 10 bytes")
