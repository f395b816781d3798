"""Read TFRecord files without TensorFlow, checking every record's checksums.

A record is its length (8 bytes), the length's checksum (4), the content, its checksum (4).
Source: tensorflow/tensorflow, tensorflow/core/lib/io/record_writer.h.
"""

import struct
from collections.abc import Iterator
from typing import BinaryIO, cast

import crc32c
import fsspec

from octoverse.errors import BadData

_HEADER, _FOOTER = 12, 4


def offsets(path: str) -> list[int]:
    """Where each record of a file starts, in bytes; contents are skipped, not read.

    Args:
        path: A local path or any address that fsspec opens.

    Raises:
        BadData: if the file is missing or cut short, or a length fails its checksum.
    """
    found = []
    with _open(path) as file:
        size, here = file.seek(0, 2), 0
        while here < size:
            found.append(here)
            here += _HEADER + _length(file, path, here, size) + _FOOTER
    return found


def read(path: str, offset: int) -> bytes:
    """The content of the record that starts at `offset`.

    Raises:
        BadData: if it is cut short or fails its checksum.
    """
    with _open(path) as file:
        return _content(file, path, offset, file.seek(0, 2))


def records(path: str) -> Iterator[bytes]:
    """The content of every record of a file, in order."""
    with _open(path) as file:
        size, here = file.seek(0, 2), 0
        while here < size:
            content = _content(file, path, here, size)
            yield content
            here += _HEADER + len(content) + _FOOTER


def masked_checksum(content: bytes) -> int:
    """The CRC-32C of some bytes as TFRecord stores it."""
    plain = crc32c.crc32c(content)
    return ((plain >> 15 | plain << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _open(path: str) -> BinaryIO:
    try:
        return cast(BinaryIO, fsspec.open(path, "rb").open())
    except FileNotFoundError as error:
        raise BadData(f"{path}: expected a TFRecord file, found none. Fetch it.") from error


def _length(file: BinaryIO, path: str, offset: int, size: int) -> int:
    file.seek(offset)
    header = file.read(_HEADER)
    if len(header) < _HEADER:
        raise _cut(path, offset, _HEADER, len(header))
    length, stored = struct.unpack("<QI", header)
    if masked_checksum(header[:8]) != stored:
        raise BadData(
            f"{path}, byte {offset}: expected the start of a record, got a length whose checksum "
            "is wrong. The file is damaged or not a TFRecord file; fetch it again."
        )
    if offset + _HEADER + length + _FOOTER > size:
        raise _cut(path, offset, _HEADER + length + _FOOTER, size - offset)
    return int(length)


def _content(file: BinaryIO, path: str, offset: int, size: int) -> bytes:
    length = _length(file, path, offset, size)
    content = file.read(length)
    (stored,) = struct.unpack("<I", file.read(_FOOTER))
    if masked_checksum(content) != stored:
        raise BadData(
            f"{path}, record at byte {offset}: the content of {length:,} bytes fails its checksum. "
            "The file was damaged on the way; fetch it again."
        )
    return content


def _cut(path: str, offset: int, expected: int, got: int) -> BadData:
    return BadData(
        f"{path}, record at byte {offset}: expected {expected:,} bytes, got {got:,}. "
        "The file was cut short; fetch it again."
    )
