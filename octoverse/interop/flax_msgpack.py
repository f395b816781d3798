"""Read a tree of arrays as flax and orbax pack it in one file.

A map of maps in msgpack. An array is extension 1: (shape, name of its type, bytes); extension 3 is
the same for one number. An array of more than 1 GiB is a map of its flat pieces.

Source: google/flax, serialization.py; google/orbax, msgpack_utils.py.
"""

from typing import Any

import msgspec
import numpy as np

from octoverse.errors import BadData

_ARRAY, _COMPLEX, _NUMBER = 1, 2, 3
_CHUNKED = "__msgpack_chunked_array__"


def restore(packed: bytes, what: str) -> Any:
    """Unpack a tree: maps by name, arrays, and whatever plain values are in it.

    Args:
        packed: The bytes of the file.
        what: The file's name, for messages.

    Raises:
        BadData: if it is no such tree.
    """
    try:
        return _joined(msgspec.msgpack.decode(packed, ext_hook=_extension))
    except (msgspec.DecodeError, ValueError, TypeError, KeyError) as error:
        raise BadData(
            f"{what}: expected a tree of arrays as flax packs it, got {len(packed)} bytes that "
            f"cannot be unpacked: {error}. The file is cut short or damaged; fetch it again."
        ) from error


def flatten(tree: Any, prefix: str = "") -> dict[str, Any]:
    """Leaves by their names, joined with '/'; empty places are left out."""
    if not isinstance(tree, dict):
        return {} if tree is None else {prefix: tree}
    found: dict[str, Any] = {}
    for name, branch in tree.items():
        found |= flatten(branch, f"{prefix}/{name}" if prefix else str(name))
    return found


def array(buffer: bytes | memoryview, dtype: str, shape: tuple[int, ...]) -> np.ndarray:
    """Numbers from their bytes; bfloat16, which numpy lacks, becomes float32.

    Raises:
        ValueError: if the bytes are not just these numbers.
        TypeError: if numpy has no such type.
    """
    if dtype == "bfloat16":
        wide = np.frombuffer(buffer, "<u2").astype("<u4") << 16
        return wide.view("<f4").reshape(shape)
    return np.frombuffer(buffer, np.dtype(dtype)).reshape(shape)


def _extension(code: int, packed: memoryview) -> Any:
    if code == _COMPLEX:
        return complex(*msgspec.msgpack.decode(packed))
    if code not in (_ARRAY, _NUMBER):
        raise ValueError(f"unknown extension {code}")
    shape, dtype, buffer = msgspec.msgpack.decode(packed)
    found = array(buffer, dtype.decode() if isinstance(dtype, bytes) else dtype, tuple(shape))
    return found if code == _ARRAY else found[()]


def _joined(tree: Any) -> Any:
    """The tree with large arrays put together again."""
    if not isinstance(tree, dict):
        return tree
    if _CHUNKED not in tree:
        return {name: _joined(branch) for name, branch in tree.items()}
    shape, pieces = (
        [tree[part][str(i)] for i in range(len(tree[part]))] for part in ("shape", "chunks")
    )
    return np.concatenate(pieces).reshape(shape)
