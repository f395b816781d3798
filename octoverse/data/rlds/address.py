"""Files at any address that fsspec opens: local paths, memory://, gs://, s3://, https:// and so on.

Addresses may be chained, such as filecache::gs://bucket/folder, which keeps what was read in a
local cache. Source: fsspec documentation, "URL chaining".
"""

import hashlib
import os
from functools import lru_cache
from typing import BinaryIO, cast

import fsspec
from fsspec.implementations.cached import CachingFileSystem
from fsspec.implementations.local import LocalFileSystem

from octoverse.errors import BadData, MissingExtra, UnknownName

_OPEN_FILES = 64
"""Local files that one process keeps open, at most."""


def join(folder: str, name: str) -> str:
    """The address of a file in a folder; a name is added to the first link that has a path."""
    links = folder.split("::")
    place = next((i for i, link in enumerate(links) if "://" in link), len(links) - 1)
    links[place] = f"{links[place].rstrip('/')}/{name}"
    return "::".join(links)


def find(address: str) -> tuple[fsspec.AbstractFileSystem, str]:
    """The file system of an address, and the path within it.

    Raises:
        MissingExtra: if the protocol needs a package that is not installed.
        UnknownName: if fsspec knows no such protocol.
    """
    try:
        system, path = fsspec.core.url_to_fs(address)
    except ImportError as error:
        package = getattr(error.__cause__, "name", None) or str(error)
        raise MissingExtra(
            f"Reading {address}", package, install=f'pip install "{package}"'
        ) from error
    except ValueError as error:
        protocol = address.partition("://")[0].rpartition("::")[2]
        if protocol in fsspec.available_protocols():
            raise
        known = fsspec.available_protocols()
        raise UnknownName(f"protocol, for {address},", protocol, known) from error
    return system, str(path)


def read_all(address: str) -> bytes:
    """The bytes of a file.

    Raises:
        FileNotFoundError: if there is none.
    """
    system, path = find(address)
    return cast(bytes, system.cat_file(path))


def open_file(address: str) -> BinaryIO:
    """Open a file to read it from its start.

    Raises:
        FileNotFoundError: if there is none.
    """
    system, path = find(address)
    return cast(BinaryIO, system.open(path, "rb"))


def stamp(address: str) -> tuple[int, str]:
    """Size of a file [byte], and what changes when it is written anew.

    Raises:
        BadData: if there is none.
    """
    try:
        local = local_path(address)
        if local is not None:
            status = os.stat(local)
            return status.st_size, str(status.st_mtime_ns)
        system, path = find(address)
        # A cache would list the folder for it, which few servers of files can.
        told = (system.fs if isinstance(system, CachingFileSystem) else system).info(path)
    except FileNotFoundError as error:
        raise _missing(address) from error
    tokens = (told.get(name) for name in ("ETag", "etag", "md5Hash", "mtime", "LastModified"))
    changes = next((token for token in tokens if token is not None), told.get("created", ""))
    return int(told["size"]), hashlib.sha256(str(changes).encode()).hexdigest()[:16]


@lru_cache(maxsize=4096)
def local_path(address: str) -> str | None:
    """The path of a file on this machine, of which a few bytes are read cheaply; else None."""
    system, path = find(address)
    return path if isinstance(system, LocalFileSystem) else None


def read_range(
    address: str, start: int, stop: int, stamped: str = "", into: bytearray | None = None
) -> bytes | memoryview:
    """Bytes [start, stop) of a file; only these are read.

    Args:
        address: Of the file.
        start: First byte.
        stop: The one after the last.
        stamped: What `stamp` says changes with the file; one that is kept open is that one.
        into: Where those of a local file are put, if it is to be used again.

    Raises:
        BadData: if the file is missing or ends before.
    """
    found: bytes | memoryview
    try:
        path = local_path(address)
        if path is None:
            system, path = find(address)
            found = system.cat_file(path, start=start, end=stop)
        elif into is None:
            found = os.pread(_opened(path, stamped).descriptor, stop - start, start)
        else:
            found = memoryview(into)[: stop - start]
            found = found[: os.preadv(_opened(path, stamped).descriptor, [found], start)]
    except FileNotFoundError as error:
        raise _missing(address) from error
    if len(found) > stop - start:
        raise BadData(
            f"{address}: expected {stop - start:,} bytes, got {len(found):,}: parts of files are "
            f"not served there. Keep a copy while reading: filecache::{address}."
        )
    if len(found) < stop - start:
        raise BadData(
            f"{address}: expected {stop - start:,} bytes from byte {start:,} on, "
            f"got {len(found):,}. The file was cut short; fetch it again."
        )
    return found


def _missing(address: str) -> BadData:
    return BadData(f"{address}: expected a file, found none. Fetch it.")


class _Opened:
    """A file descriptor that is closed when nobody uses it any more."""

    def __init__(self, path: str) -> None:
        self.descriptor = os.open(path, os.O_RDONLY)

    def __del__(self) -> None:
        # Opening may have failed.
        if hasattr(self, "descriptor"):
            os.close(self.descriptor)


@lru_cache(maxsize=_OPEN_FILES)
def _opened(path: str, stamped: str) -> _Opened:
    return _Opened(path)
