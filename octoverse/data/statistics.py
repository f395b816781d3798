"""Statistics of data sets, in one pass over their numbers, kept for the next time."""

import hashlib
import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from octoverse.accumulate import Accumulator, combine
from octoverse.data.source import Source, body_of
from octoverse.data.weighted import Weighted
from octoverse.embodiment import Embodiment, NumericStream
from octoverse.errors import BadData
from octoverse.normalize import BodyStatistics

_VERSION = 1
"""Of how statistics are gathered; older ones are gathered anew."""


def statistics_of(source: Source, cache: Path | None = None) -> BodyStatistics:
    """Statistics of one source; see `body_statistics`."""
    return body_statistics([Weighted(source=source)], cache)[source.embodiment]


def body_statistics(
    sources: Sequence[Weighted], cache: Path | None = None
) -> dict[str, BodyStatistics]:
    """Statistics by body; a body's data sets are merged by their weight.

    Args:
        sources: The data that a policy is trained on.
        cache: A folder where what was gathered is kept under a hash of data and declaration;
            nothing is written without it.

    Raises:
        BadData: if a body's data lack an action group, or hold numbers that are not finite.
    """
    found: dict[str, BodyStatistics] = {}
    for name in dict.fromkeys(entry.source.embodiment for entry in sources):
        entries = [entry for entry in sources if entry.source.embodiment == name]
        weights = [entry.weight for entry in entries]
        gathered = [_gathered(entry.source, i, cache) for i, entry in enumerate(entries)]
        body = body_of(entries[0].source)
        lacking = [g for g in body.action if not any(len(parts[g]) for parts in gathered)]
        if lacking:
            raise BadData(
                f"'{name}': expected actions '{lacking[0]}' in {_names(entries)}, found none that "
                "is valid. Add data that has them, or train a body without this group."
            )
        merged = {
            key: combine([parts[key] for parts in gathered], weights)
            for key in gathered[0]
            if any(len(parts[key]) for parts in gathered)
        }
        found[name] = BodyStatistics(
            observation={k: v for k, v in merged.items() if k in body.observation},
            action={k: v for k, v in merged.items() if k in body.action},
        )
    return found


def _names(entries: Sequence[Weighted]) -> str:
    return ", ".join(f"'{entry.source.name}'" for entry in entries)


def _gathered(source: Source, seed: int, cache: Path | None) -> dict[str, Accumulator]:
    body = body_of(source)
    parts = _empty(body, seed)
    told = [_VERSION, source.fingerprint(), body.fingerprint, seed]
    digest = hashlib.sha256(msgspec.json.encode(told)).hexdigest()[:24]
    path = cache / f"statistics-{digest}.npz" if cache is not None else None
    if path is not None and path.exists():
        with np.load(path, allow_pickle=False) as stored:
            for key, part in parts.items():
                part.load({k.rpartition("/")[2]: stored[k] for k in stored if _of(k, key)})
        return parts
    for index in range(len(source)):
        episode = source.episode(index)
        try:
            _take(parts, episode.observation, episode.observation_valid)
            _take(parts, episode.action, episode.action_valid)
        except BadData as error:
            raise BadData(f"'{source.name}', episode {episode.key}: {error}") from error
    if path is not None:
        arrays = {f"{key}/{k}": v for key, part in parts.items() for k, v in part.arrays().items()}
        _store(path, arrays)
    return parts


def _of(stored: str, key: str) -> bool:
    return stored.rpartition("/")[0] == key


def _empty(body: Embodiment, seed: int) -> dict[str, Accumulator]:
    seen = {
        name: Accumulator.of(stream, seed)
        for name, stream in body.observation.items()
        if isinstance(stream, NumericStream)
    }
    return seen | {name: Accumulator.of(group, seed) for name, group in body.action.items()}


def _take(parts: dict[str, Accumulator], given: Any, valid: Any) -> None:
    for name, values in given.items():
        if name in parts:
            rows, known = np.asarray(values), valid.get(name)
            if known is not None:
                # One flag stands for all rows of a history.
                spread = known.reshape(known.shape + (1,) * (rows.ndim - 1 - known.ndim))
                known = np.broadcast_to(spread, rows.shape[:-1])
            try:
                parts[name].add(rows, known)
            except BadData as error:
                raise BadData(f"'{name}': {error}") from error


def _store(path: Path, arrays: dict[str, np.ndarray]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    file = io.BytesIO()
    np.savez(file, **arrays)  # type: ignore[arg-type]
    waiting = path.with_name(f".{path.name}.{os.getpid()}.part")
    waiting.write_bytes(file.getvalue())
    os.replace(waiting, path)
