"""Arrays beside a header: all in one body, each at a stated place, looked at without copying."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import TypeVar, get_args

import msgspec
import numpy as np
import simplejpeg

from octoverse.errors import BadMessage
from octoverse.wire import Act, ArraySpec, Dtype, Observe, Reply, encode

ALIGNMENT = 8
_NAMES: dict[np.dtype, Dtype] = {np.dtype(name): name for name in get_args(Dtype)}
_DTYPES = {name: dtype for dtype, name in _NAMES.items()}
_SCAN = re.compile(b"\xff\xda\0")
"""How each scan of a JPEG begins; nothing else in its pixels looks like it."""
_SCANS = 4
"""An image of three planes, and a preview of it. Each costs as much as the whole image, however few
bytes it has, and a progressive JPEG may have thousands."""
M = TypeVar("M", Observe, Act)
Packed = Mapping[str, "np.ndarray | Jpeg"]


@dataclass(frozen=True)
class Jpeg:
    """An image, still compressed."""

    data: bytes | memoryview
    shape: tuple[int, ...]
    """(height, width, 3) once decoded."""

    @classmethod
    def encode(cls, image: np.ndarray, quality: int) -> "Jpeg":
        """Compress uint8 (height, width, 3) RGB with a quality from 1 to 100."""
        image = np.ascontiguousarray(image)
        return cls(simplejpeg.encode_jpeg(image, quality, "RGB"), image.shape)

    def decode(self) -> np.ndarray:
        """Give uint8 (height, width, 3) RGB.

        Raises:
            BadMessage: unless it is a sound JPEG of exactly the declared shape and of a few scans;
                that is looked up before any pixel is decoded.
        """
        if next(islice(_SCAN.finditer(self.data), _SCANS, None), None):
            raise BadMessage(
                f"JPEG: expected at most {_SCANS} scans, got more. Encode it as baseline, not as "
                "progressive."
            )
        try:
            height, width, *_ = simplejpeg.decode_jpeg_header(self.data)
            if (height, width, 3) != self.shape:
                raise BadMessage(
                    f"JPEG: expected shape {self.shape} as declared, got {(height, width, 3)}."
                )
            image: np.ndarray = simplejpeg.decode_jpeg(self.data, "RGB")
        except ValueError as error:
            raise BadMessage(f"JPEG: expected a complete image, got damaged data: {error}.") from (
                error
            )
        return image


def place(
    arrays: Packed, times: Mapping[str, int] | None = None
) -> tuple[tuple[ArraySpec, ...], int]:
    """Decide where each array lies in one body.

    Args:
        arrays: By name.
        times: When single arrays were seen [ns], where that is not when the frame was.

    Returns:
        The places, in order, and the size of the body [bytes].
    """
    specs, offset = [], 0
    for name, array in arrays.items():
        size = len(array.data) if isinstance(array, Jpeg) else array.nbytes
        spec = ArraySpec(
            name=name,
            dtype="uint8" if isinstance(array, Jpeg) else _dtype(name, array),
            shape=array.shape,
            encoding="jpeg" if isinstance(array, Jpeg) else "raw",
            offset=offset,
            size=size,
            at_ns=times.get(name) if times else None,
        )
        specs.append(spec)
        offset += -(-size // ALIGNMENT) * ALIGNMENT
    return tuple(specs), offset


def fill(body: memoryview, specs: tuple[ArraySpec, ...], arrays: Packed) -> None:
    """Write arrays, in the order of their places, into a body of bytes."""
    for spec, array in zip(specs, arrays.values(), strict=True):
        if isinstance(array, Jpeg):
            body[spec.offset : spec.offset + spec.size] = array.data
        elif spec.size:
            data = np.ascontiguousarray(array).data.cast("B")
            body[spec.offset : spec.offset + spec.size] = data


def pack(
    message: M, arrays: Packed, times: Mapping[str, int] | None = None
) -> tuple[bytes, np.ndarray]:
    """Lay all arrays into one body, and say in the header where they are.

    Args:
        message: The header, but for its arrays.
        arrays: By name.
        times: When single arrays were seen [ns], where that is not when the frame was.

    Returns:
        The header, and the body, uint8 (bytes,), which nothing else refers to: send it as it is.
    """
    specs, size = place(arrays, times)
    body = np.zeros(size, np.uint8)  # the gaps between arrays tell nothing
    fill(body.data, specs, arrays)
    return encode(msgspec.structs.replace(message, arrays=specs)), body


def packed(message: Reply, arrays: Mapping[str, np.ndarray]) -> tuple[bytes, bytes | memoryview]:
    """Give the two frames of an answer."""
    if isinstance(message, Act):
        header, body = pack(message, arrays)
        return header, body.data
    return encode(message), b""


def views(
    specs: tuple[ArraySpec, ...], body: bytes | memoryview, image_bytes: int
) -> dict[str, np.ndarray | Jpeg]:
    """Look at the arrays of a body where they lie, without copying or decoding them.

    Args:
        specs: From the header.
        body: The second frame.
        image_bytes: Refuse more than this in all, counted as decoded.

    Raises:
        BadMessage: if an array is not wholly inside the body, overlaps another, or is not as
            large as its shape says.
    """
    body = memoryview(body).toreadonly()
    return {
        name: Jpeg(body[first:end], shape)
        if dtype is None
        else np.ndarray(shape, dtype, body, first)
        for name, shape, dtype, first, end in _seen(specs, len(body), image_bytes)
    }


@lru_cache(maxsize=1024)
def _seen(
    specs: tuple[ArraySpec, ...], size: int, image_bytes: int
) -> list[tuple[str, tuple[int, ...], np.dtype | None, int, int]]:
    """Check where arrays lie: name, shape, dtype (None of a JPEG), first byte and end of each.

    A robot says the same with every frame, so that what was found sound is kept.
    """
    found: list[tuple[str, tuple[int, ...], np.dtype | None, int, int]] = []
    names = set[str]()
    end = total = 0
    for spec in specs:
        length = math.prod(spec.shape) * _DTYPES[spec.dtype].itemsize
        total += length
        if spec.name in names:
            raise BadMessage(f"array '{spec.name}': expected one array of this name, got two.")
        names.add(spec.name)
        if total > image_bytes:
            raise BadMessage(f"arrays: expected at most {image_bytes} bytes decoded, got {total}.")
        if spec.offset % ALIGNMENT or spec.offset < end or spec.offset + spec.size > size:
            raise BadMessage(
                f"array '{spec.name}': expected a place from {end} on, a multiple of {ALIGNMENT}, "
                f"within a body of {size} bytes, got {spec.offset} to {spec.offset + spec.size}."
            )
        end = spec.offset + spec.size
        if spec.encoding == "jpeg":
            if len(spec.shape) != 3 or spec.shape[2] != 3 or spec.dtype != "uint8":
                raise BadMessage(
                    f"array '{spec.name}': expected a JPEG to be uint8 (height, width, 3), "
                    f"got {spec.dtype} {spec.shape}."
                )
        elif spec.size != length:
            raise BadMessage(
                f"array '{spec.name}': expected {length} bytes for {spec.dtype} {spec.shape}, "
                f"got {spec.size}."
            )
        dtype = None if spec.encoding == "jpeg" else _DTYPES[spec.dtype]
        found.append((spec.name, spec.shape, dtype, spec.offset, end))
    return found


def _dtype(name: str, array: np.ndarray) -> Dtype:
    dtype = _NAMES.get(array.dtype)
    if dtype is None:
        raise ValueError(
            f"array '{name}': expected {', '.join(get_args(Dtype))}, got {array.dtype.str}. "
            "Convert it before sending."
        )
    return dtype
