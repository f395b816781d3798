"""Rows of tables in JSON, one at a time: a list of flat objects may be larger than memory."""

import mmap
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from octoverse.errors import BadData

_Row = TypeVar("_Row", bound=msgspec.Struct)
_OBJECT = re.compile(rb"\{[^{}]*\}")


def json_rows(path: Path, kind: type[_Row]) -> Iterator[_Row]:
    """Rows of a table, decoded as they are asked for.

    Args:
        path: A JSON list of objects that hold no objects, nor braces in their texts.
        kind: The struct to decode each into; other fields are passed over.

    Raises:
        BadData: if there is no such file, it was cut short or holds something else.
    """
    if not path.exists():
        raise BadData(f"{path}: expected this table, found none. Fetch all tables of one version.")
    if not path.stat().st_size:
        raise BadData(f"{path}: expected a table in JSON, found an empty file. Fetch it again.")
    decoder = msgspec.json.Decoder(kind)
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as text:
        end = 0
        for number, found in enumerate(_OBJECT.finditer(text)):
            _check_gap(path, text[end : found.start()], b"[" if number == 0 else b",")
            end = found.end()
            try:
                yield decoder.decode(found.group())
            except msgspec.MsgspecError as error:
                raise BadData(
                    f"{path}, row {number}: expected {', '.join(kind.__struct_fields__)}, got "
                    f"{found.group()[:80]!r}: {error}. Fetch the file again."
                ) from error
        _check_gap(path, text[end:], b"]" if end else b"[]")


def _check_gap(path: Path, found: bytes, expected: bytes) -> None:
    if b"".join(found.split()) != expected:
        raise BadData(
            f"{path}: expected a JSON list of flat rows, got {found[:40]!r} where "
            f"{expected.decode()} stands between them. The file was cut short; fetch it again."
        )
