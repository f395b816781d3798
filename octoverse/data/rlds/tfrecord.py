"""Read TFRecord files without TensorFlow, checking checksums.

A record is its length (8 bytes), the length's checksum (4), the content, its checksum (4).
Source: tensorflow/tensorflow, tensorflow/core/lib/io/record_writer.h.
"""

import struct
from collections.abc import Iterator
from typing import BinaryIO

import crc32c

from octoverse.data.rlds import address
from octoverse.errors import BadData

HEADER, FOOTER = 12, 4
"""Bytes of a record before and after its content."""


def records(path: str) -> Iterator[bytes]:
    """The content of every record of a file, in order, each checked.

    Args:
        path: A local path or any address that fsspec opens.

    Raises:
        BadData: if the file is missing, cut short or damaged.
    """
    try:
        file = address.open_file(path)
    except FileNotFoundError as error:
        raise BadData(f"{path}: expected a TFRecord file, found none. Fetch it.") from error
    with file:
        size, here = file.seek(0, 2), 0
        file.seek(0)
        while here < size:
            content = _next(file, path, here, size)
            yield content
            here += HEADER + len(content) + FOOTER


def content_of(record: memoryview, path: str, offset: int, *, checked: bool = True) -> memoryview:
    """The content of one record.

    Args:
        record: All of it, header and footer too.
        path: Of the file that it was read from, for errors.
        offset: Where it starts in the file.
        checked: Whether to compare the content with its checksum.

    Raises:
        BadData: if it is no record of this size, or damaged.
    """
    size = len(record) - HEADER - FOOTER
    if _length(record[:HEADER], path, offset) != size:
        raise BadData(
            f"{path}, record at byte {offset}: expected {size:,} bytes of content, got another "
            "length. The file was written anew; open the data set again."
        )
    content = record[HEADER:-FOOTER]
    if checked:
        _check(content, record[-FOOTER:], path, offset)
    return content


def masked_checksum(content: bytes | memoryview) -> int:
    """The CRC-32C of some bytes as TFRecord stores it."""
    plain = crc32c.crc32c(content)
    return ((plain >> 15 | plain << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _next(file: BinaryIO, path: str, offset: int, size: int) -> bytes:
    header = file.read(HEADER)
    if len(header) < HEADER:
        raise _cut(path, offset, HEADER, len(header))
    length = _length(header, path, offset)
    if offset + HEADER + length + FOOTER > size:
        raise _cut(path, offset, HEADER + length + FOOTER, size - offset)
    content = file.read(length)
    _check(content, file.read(FOOTER), path, offset)
    return content


def _length(header: bytes | memoryview, path: str, offset: int) -> int:
    length, stored = struct.unpack("<QI", header)
    if masked_checksum(header[:8]) != stored:
        raise BadData(
            f"{path}, byte {offset}: expected the start of a record, got a length whose checksum "
            "is wrong. The file is damaged or not a TFRecord file; fetch it again."
        )
    return int(length)


def _check(content: bytes | memoryview, footer: bytes | memoryview, path: str, offset: int) -> None:
    (stored,) = struct.unpack("<I", footer)
    if masked_checksum(content) != stored:
        raise BadData(
            f"{path}, record at byte {offset}: the content of {len(content):,} bytes fails its "
            "checksum. The file was damaged on the way; fetch it again."
        )


def _cut(path: str, offset: int, expected: int, got: int) -> BadData:
    return BadData(
        f"{path}, record at byte {offset}: expected {expected:,} bytes, got {got:,}. "
        "The file was cut short; fetch it again."
    )
