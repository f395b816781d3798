"""Images and fingerprints of driving logs that lie in files."""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from octoverse.data.source import Images
from octoverse.errors import BadData

_WHOLE = 1 << 20


def image_files(paths: Sequence[Path], named_in: object) -> Images:
    """Images that lie in files, each read when it is indexed.

    Args:
        paths: The files.
        named_in: What says that they exist, for the error where one does not.
    """

    def read(index: int) -> bytes:
        try:
            return paths[index].read_bytes()
        except OSError as error:
            raise BadData(
                f"{paths[index]}: {named_in} names this image, got: {error.strerror}. Fetch it."
            ) from error

    return Images(len(paths), read)


def fingerprint_of(folder: Path, files: Iterable[Path]) -> str:
    """Changes when files below a folder do; of long ones their size and both ends are looked at."""
    found = hashlib.sha256()
    for file in sorted(files):
        size = file.stat().st_size
        found.update(f"{file.relative_to(folder)}:{size}:".encode())
        with file.open("rb") as stream:
            found.update(stream.read(_WHOLE))
            if size > _WHOLE:
                stream.seek(-min(size, _WHOLE), 2)
                found.update(stream.read())
    return found.hexdigest()[:16]
