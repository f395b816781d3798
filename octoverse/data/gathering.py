"""Gather what statistics are made of: one pass over a source's numbers, in blocks of episodes.

Blocks are merged in their order, and which rows are kept for quantiles is drawn by episode. So the
result is the same to the last bit whatever the number of processes, and whether or not gathering
was stopped and gone on with.
"""

import hashlib
import io
import os
import time
import zipfile
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from octoverse.accumulate import Accumulator
from octoverse.data.processes import in_order
from octoverse.data.progress import Bar
from octoverse.data.source import Source, body_of
from octoverse.embodiment import Embodiment, NumericStream
from octoverse.errors import BadData

BLOCK = 16
"""Episodes in a block."""
SAVE_SECONDS = 5.0
"""Gathering that is killed loses at most what it did in this time."""
_VERSION = 3
"""Of how statistics are gathered; older ones are gathered anew."""
_SEED = 0x0C70
_NEXT = "next"
OBSERVATION, ACTION = "observation/", "action/"

Parts = dict[str, Accumulator]
"""By side and name: a body's arms may be both a state ("observation/arms") and an action."""


def gather(
    source: Source,
    cache: Path | None = None,
    processes: int = 1,
    quiet: bool = True,
    skip_bad: bool = False,
) -> Parts:
    """Gather a source's numbers, or load what was gathered before.

    Args:
        source: Whose numbers.
        cache: A folder where the result, and from time to time how far it is, are kept under a
            hash of data and declaration; nothing is written without it.
        processes: How many work at a time.
        quiet: Show no progress.
        skip_bad: Leave out episodes that cannot be read and name them, in place of an error.

    Raises:
        BadData: if an episode cannot be read or has numbers that are not finite, or what was kept
            cannot be read.
    """
    body = body_of(source)
    done, begun = _places(source, body, cache, skip_bad)
    if done is not None and done.exists():
        return _load(done, body)[0]
    parts, first = _load(begun, body) if begun and begun.exists() else (_empty(body), 0)
    starts = range(first, len(source), BLOCK)
    saved = time.monotonic()
    with Bar(f"Reading {source.name}", len(source), first, quiet) as bar:
        work = partial(_block, skip_bad=skip_bad)
        for start, (rows, block, bad) in zip(
            starts, in_order(work, source, starts, processes), strict=True
        ):
            for message in bad:
                bar.say(f"left out of the statistics: {message}")
            for key in parts:
                other = Accumulator(parts[key].units, parts[key].alone)
                other.load(block[key])
                parts[key].merge(other)
            after = min(start + BLOCK, len(source))
            bar.advance(after - start, rows)
            if begun and time.monotonic() - saved > SAVE_SECONDS and after < len(source):
                _store(begun, parts, after)
                saved = time.monotonic()
    if done is not None and begun is not None:
        _store(done, parts, len(source))
        begun.unlink(missing_ok=True)
    return parts


def _places(
    source: Source, body: Embodiment, cache: Path | None, skip_bad: bool
) -> tuple[Path | None, ...]:
    """Where the result and where a part of it is kept."""
    if cache is None:
        return None, None
    told = [_VERSION, BLOCK, source.fingerprint(), body.name, body.fingerprint, skip_bad]
    digest = hashlib.sha256(msgspec.json.encode(told)).hexdigest()[:24]
    return cache / f"statistics-{digest}.npz", cache / f"statistics-{digest}.begun.npz"


def _block(
    source: Source, first: int, skip_bad: bool
) -> tuple[int, dict[str, dict[str, np.ndarray]], list[str]]:
    """What one block of episodes adds.

    Returns:
        Its steps, the arrays of every accumulator, and what is wrong with episodes left out.
    """
    parts, steps, bad = _empty(body_of(source)), 0, []
    for index in range(first, min(first + BLOCK, len(source))):
        try:
            count, one = _one(source, index)
        except BadData as error:
            if not skip_bad:
                raise
            bad.append(str(error))
            continue
        steps += count
        for key, part in parts.items():
            part.merge(one[key])
    return steps, {key: part.arrays() for key, part in parts.items()}, bad


def _one(source: Source, index: int) -> tuple[int, Parts]:
    """The steps and the numbers of one episode: all of it or, where it is bad, nothing."""
    episode, parts = source.episode(index), _empty(body_of(source))
    rng = np.random.default_rng((_SEED, index))
    try:
        _take(parts, OBSERVATION, episode.observation, episode.observation_valid, rng)
        _take(parts, ACTION, episode.action, episode.action_valid, rng)
    except BadData as error:
        raise BadData(f"'{source.name}', episode {episode.key}: {error}") from error
    return len(episode), parts


def _empty(body: Embodiment) -> Parts:
    found = {
        OBSERVATION + name: Accumulator.of(stream)
        for name, stream in body.observation.items()
        if isinstance(stream, NumericStream)
    }
    return found | {ACTION + name: Accumulator.of(group) for name, group in body.action.items()}


def _take(
    parts: Parts,
    side: str,
    given: Mapping[str, Any],
    valid: Mapping[str, Any],
    rng: np.random.Generator,
) -> None:
    for name in sorted(given):
        if side + name not in parts:
            continue
        rows, known = np.asarray(given[name]), valid.get(name)
        if known is not None:
            # One flag stands for all rows of a history.
            spread = known.reshape(known.shape + (1,) * (rows.ndim - 1 - known.ndim))
            known = np.broadcast_to(spread, rows.shape[:-1])
        try:
            parts[side + name].add(rows, known, rng)
        except (BadData, ValueError) as error:
            raise BadData(f"'{name}': {error}") from error


def _load(path: Path, body: Embodiment) -> tuple[Parts, int]:
    """What was stored, and the first episode that is not in it."""
    parts = _empty(body)
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as stored:
            for key, part in parts.items():
                part.load(dict(_of(stored, key)))
            return parts, int(stored[_NEXT])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise BadData(
            f"{path}: expected statistics that were kept, got: {error}. Delete this file; they are "
            "gathered anew."
        ) from error


def _of(stored: Any, key: str) -> Iterator[tuple[str, np.ndarray]]:
    return ((k.rpartition("/")[2], stored[k]) for k in stored if k.rpartition("/")[0] == key)


def _store(path: Path, parts: Parts, after: int) -> None:
    arrays = {f"{key}/{k}": v for key, part in parts.items() for k, v in part.arrays().items()}
    file = io.BytesIO()
    np.savez(file, **arrays, **{_NEXT: np.array(after)})  # type: ignore[arg-type]
    path.parent.mkdir(parents=True, exist_ok=True)
    waiting = path.with_name(f".{path.name}.{os.getpid()}.part")
    with waiting.open("wb") as to:
        to.write(file.getvalue())
        to.flush()
        os.fsync(to.fileno())
    os.replace(waiting, path)
