"""Arrays in msgpack as openpi and as GR00T write them: read within bounds, and written.

openpi writes a map of bytes, dtype and shape; GR00T the bytes of an .npy file. Both are looked at
where they lie, and no header is ever evaluated.
"""

import io
import math
import re
from typing import Any

import msgspec
import numpy as np

from octoverse.errors import BadMessage
from octoverse.servers import msgpack_reader

_DTYPES = {
    dtype.str: dtype
    for dtype in map(
        np.dtype,
        "bool uint8 int8 uint16 int16 uint32 int32 uint64 int64 float16 float32 float64".split(),
    )
}
_SIDES = 6
_NPY_HEADER_BYTES = 1024
_NPY_HEADER = re.compile(
    rb"\{'descr': '([^']{1,8})', 'fortran_order': (True|False), "
    rb"'shape': \(((?:\d{1,18}, ?){0,6}(?:\d{1,18})?)\), \} *\n"
)


def read(data: bytes | memoryview) -> Any:
    """Read one message, with its arrays in either way of writing.

    Args:
        data: All of it; the arrays are views of it, so it must not change any more.

    Raises:
        BadMessage: in words, for whatever is not one message within the bounds.
    """
    return msgpack_reader.read(data, _array_or_map)


def _openpi(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return {
            b"__ndarray__": True,
            b"data": value.tobytes(),
            b"dtype": value.dtype.str,
            b"shape": value.shape,
        }
    raise NotImplementedError


def _groot(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        file = io.BytesIO()
        np.lib.format.write_array(file, value, version=(1, 0), allow_pickle=False)
        return {"__ndarray_class__": True, "as_npy": file.getvalue()}
    raise NotImplementedError


write_openpi = msgspec.msgpack.Encoder(enc_hook=_openpi).encode
"""Write a message with arrays as an openpi client reads them."""
write_groot = msgspec.msgpack.Encoder(enc_hook=_groot).encode
"""Write a message with arrays as a GR00T client reads them."""


def _array_or_map(found: dict[Any, Any]) -> Any:
    if b"__ndarray__" in found:
        return _array(found.get(b"data"), found.get(b"dtype"), found.get(b"shape"))
    if b"__npgeneric__" in found:
        return _scalar(found.get(b"data"), found.get(b"dtype"))
    if "__ndarray_class__" in found:
        return _npy(found.get("as_npy"))
    return found


def _array(data: Any, kind: Any, shape: Any) -> np.ndarray:
    dtype = _dtype(kind)
    if not isinstance(shape, list) or len(shape) > _SIDES or not all(map(_is_side, shape)):
        raise BadMessage(
            f"array: expected a shape of at most {_SIDES} sides of at least 0, got {_brief(shape)}."
        )
    if not isinstance(data, memoryview):
        raise BadMessage(f"array: expected its data as bytes, got {_brief(data)}.")
    size = math.prod(shape) * dtype.itemsize
    if len(data) != size:
        raise BadMessage(
            f"array: expected {size} bytes for {dtype} {tuple(shape)}, got {len(data)}."
        )
    # With a side of 0 numpy still multiplies the others.
    if size == 0:
        return np.empty(0, dtype)
    return np.frombuffer(data, dtype).reshape(shape)


def _scalar(data: Any, kind: Any) -> np.ndarray:
    dtype = _dtype(kind)
    if not isinstance(data, int | float):
        raise BadMessage(f"number: expected one of {dtype}, got {_brief(data)}.")
    try:
        with np.errstate(over="ignore"):
            return np.asarray(dtype.type(data))
    except (OverflowError, ValueError) as error:
        raise BadMessage(f"number: expected one of {dtype}, got {_brief(data)}.") from error


def _npy(data: Any) -> np.ndarray:
    if not isinstance(data, memoryview) or bytes(data[:6]) != b"\x93NUMPY" or len(data) < 12:
        raise BadMessage("array: expected the bytes of an .npy file, got something else.")
    start = 10 if data[6] == 1 else 12
    length = int.from_bytes(data[8:start], "little")
    header = _NPY_HEADER.fullmatch(data[start : start + min(length, _NPY_HEADER_BYTES)])
    if length > _NPY_HEADER_BYTES or header is None:
        raise BadMessage(
            f"array: expected an .npy header of dtype, order and shape in {_NPY_HEADER_BYTES} "
            "bytes, got another one. Objects and structures are not read."
        )
    kind, is_fortran, sides = header.groups()
    shape = [int(side) for side in sides.replace(b",", b" ").split()]
    rest = data[start + length :]
    if is_fortran == b"True":
        return _array(rest, kind.decode("latin-1"), shape[::-1]).T
    return _array(rest, kind.decode("latin-1"), shape)


def _dtype(kind: Any) -> np.dtype:
    found = _DTYPES.get(kind) if isinstance(kind, str) else None
    if found is None:
        raise BadMessage(
            f"array: expected a dtype of {', '.join(_DTYPES)}, got {_brief(kind)}. "
            "Convert it before sending."
        )
    return found


def _is_side(side: Any) -> bool:
    return type(side) is int and side >= 0


def _brief(value: Any) -> str:
    return f"{type(value).__name__} {repr(value)[:60]}"
