"""Where every episode of a TFDS folder lies and how long it is, found in one pass over its files.

The pass checks every checksum. What it finds is kept in a small file where a folder for it is
given, and holds as long as the metadata and each file's size and time do not change.
"""

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from octoverse.data.rlds import address, tfrecord
from octoverse.data.rlds.example import names, parse
from octoverse.errors import BadData

STEP_COUNT = "steps/is_first"
"""Every RLDS episode has it, one per step."""

_VERSION = 1
"""Of what is kept; older files are made anew."""
_THREADS = 4
"""Files of one data set that are read at a time: what is far away is waited for."""


class Shard(msgspec.Struct, frozen=True):
    """The records of one file."""

    size: int
    stamp: str
    """Of the file: see `address.stamp`."""
    offsets: list[int]
    sizes: list[int]
    """Bytes of each record's content."""
    steps: list[int]


class _Kept(msgspec.Struct, frozen=True):
    version: int
    metadata: str
    shards: dict[str, Shard]


def shards(files: Sequence[str], metadata: str, cache: Path | None = None) -> list[Shard]:
    """What is in each file, from what is kept or by reading it.

    Args:
        files: Addresses of the files of one folder.
        metadata: Changes with the folder's metadata.
        cache: A folder where what was found is kept; nothing is written without it.

    Raises:
        BadData: if a file is missing or damaged, or a record is no RLDS episode.
    """
    kept: dict[str, Shard] = {}
    if cache is not None:
        folder = hashlib.sha256(os.path.dirname(files[0]).encode()).hexdigest()[:16]
        path = Path(cache) / f"rlds-{folder}.json"
        kept = _load(path, metadata)
    with ThreadPoolExecutor(_THREADS) as pool:
        found = list(pool.map(lambda file: _current(file, kept.get(file)), files))
    new = dict(zip(files, found, strict=True))
    if cache is not None and any(kept.get(file) is not shard for file, shard in new.items()):
        _store(path, _Kept(_VERSION, metadata, kept | new))
    return found


def _current(file: str, kept: Shard | None) -> Shard:
    size, stamp = address.stamp(file)
    if kept is not None and (kept.size, kept.stamp) == (size, stamp):
        return kept
    found = Shard(size, stamp, [], [], [])
    here = 0
    for content in tfrecord.records(file):
        found.offsets.append(here)
        found.sizes.append(len(content))
        found.steps.append(_steps(content, f"{file}, record at byte {here}"))
        here += tfrecord.HEADER + len(content) + tfrecord.FOOTER
    return found


def _steps(content: bytes, where: str) -> int:
    try:
        found = parse(content, (STEP_COUNT,))
    except BadData as error:
        raise BadData(f"{where}: {error}") from error
    if STEP_COUNT not in found:
        raise BadData(
            f"{where}: expected an RLDS episode with {STEP_COUNT}, got the features "
            f"{', '.join(names(content)) or 'none'}."
        )
    return len(found[STEP_COUNT])


def _load(path: Path, metadata: str) -> dict[str, Shard]:
    try:
        kept = msgspec.json.decode(path.read_bytes(), type=_Kept)
    except (FileNotFoundError, msgspec.DecodeError):
        return {}
    return kept.shards if (kept.version, kept.metadata) == (_VERSION, metadata) else {}


def _store(path: Path, kept: _Kept) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    waiting = path.with_name(f".{path.name}.{os.getpid()}.part")
    waiting.write_bytes(msgspec.json.encode(kept))
    os.replace(waiting, path)
