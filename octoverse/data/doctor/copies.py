"""The same recording twice: within a data set, or in two that should be apart.

Numbers are compared as runs of steps, so that a piece of an episode is found inside another one.
Runs that hardly vary are left out: rest looks alike everywhere. Identifiers play no part, because
recordings that differ may share one.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from octoverse.data.doctor.finding import Finding, unreadable
from octoverse.data.doctor.looking import Tell
from octoverse.data.doctor.sampling import evenly
from octoverse.data.source import Source, body_of
from octoverse.embodiment import Camera, PathGroup
from octoverse.episode import Episode
from octoverse.errors import BadData

EPISODES = 2000
"""At most so many of each data set are compared, spread evenly."""
_IMAGES = 200
"""Beyond so many episodes, images are compared only where numbers do not tell: films are slow."""
_RUN = 4
"""Steps in a run."""
_VARIED = 6
"""Changes of single numbers that a run must hold to tell one recording from another."""
_SHARE = 0.5
"""Share of an episode's telling runs that must be found elsewhere."""
_RUNS = 3


@dataclass(frozen=True, kw_only=True)
class Print:
    """What one episode is known by."""

    key: str
    runs: frozenset[bytes]
    """Hashes of its telling runs of numbers."""
    images: frozenset[bytes]
    """Hashes of its first, middle and last image, where they differ."""


def copies_within(prints: Sequence[Print]) -> Iterator[Finding]:
    """Episodes that stand in one data set twice."""
    every = list(_matches(prints, prints))
    pairs = {(first, second) for first, second, _ in every}
    # Of two that are copies of each other, the later one is the copy.
    found = [one for one in every if one[0] < one[1] or (one[1], one[0]) not in pairs]
    if found:
        first, second, kind = found[0]
        copy, original = prints[second].key, prints[first].key
        yield Finding(
            check="copies",
            severity="suspicion",
            where=f"episode {copy}",
            message=f"{len(found)} of {len(prints)} episodes are copies of others, such as "
            f"{copy} of {original} ({kind}).",
            evidence={"copies": len(found), "episodes": len(prints), "share needed": _SHARE},
            cure="Leave the copies out: they weigh double, and may fall on both sides of a split.",
        )


def copies_across(mine: Sequence[Print], theirs: Sequence[Print], name: str) -> Iterator[Finding]:
    """Episodes of one data set that are in another one too."""
    # A piece of an episode may lie on either side.
    found = list(_matches(theirs, mine))
    there = [(second, first, same) for first, second, same in _matches(mine, theirs)]
    evidence: dict[str, float | int | str] = {
        "episodes here": len(mine),
        "found there": len(found),
        "episodes there": len(theirs),
        "found here": len(there),
        "share needed": _SHARE,
    }
    if found or there:
        first, second, kind = (found or there)[0]
        other, own = theirs[first].key, mine[second].key
        yield Finding(
            check="copies",
            severity="fault",
            where=name,
            message=f"{len(found)} of {len(mine)} episodes are in '{name}', {len(there)} of its "
            f"{len(theirs)} are here, such as {own} here and {other} there ({kind}): one cannot be "
            "judged with the other.",
            evidence=evidence,
            cure="Leave them out of one of the two.",
        )
    else:
        yield Finding(
            check="copies",
            severity="information",
            where=name,
            message=f"None of {len(mine)} episodes here is among {len(theirs)} of '{name}'.",
            evidence=evidence,
        )


def prints_of(source: Source, most: int | None, tell: Tell) -> tuple[list[Print], list[Finding]]:
    """Take the prints of at most so many episodes, None for all; and name those not readable."""
    body, count = body_of(source), len(source)
    chosen = evenly(count, count if most is None else most)
    cameras = [name for name, stream in body.observation.items() if isinstance(stream, Camera)]
    paths = [name for name, group in body.action.items() if isinstance(group, PathGroup)]
    found, damaged = [], []
    for done, index in enumerate(chosen):
        tell(f"comparing '{source.name}'", done, len(chosen))
        try:
            episode = source.episode(index)
            runs = frozenset(_runs(_rows(episode, {*cameras, *paths})))
            looked = len(chosen) <= _IMAGES or len(runs) < _RUNS
            images = frozenset(_images(episode, cameras)) if looked else frozenset()
            found.append(Print(key=episode.key, runs=runs, images=images))
        except BadData as error:
            damaged.append(unreadable(index, error))
    return found, damaged


def _matches(first: Sequence[Print], second: Sequence[Print]) -> Iterator[tuple[int, int, str]]:
    """For those of second that are in first: (place in first, place in second, what is the same).

    A data set may be held against itself.
    """
    within = first is second
    owners: dict[bytes, list[int]] = {}
    for number, one in enumerate(first):
        for run in (*one.runs, *one.images):
            owners.setdefault(run, []).append(number)
    for number, one in enumerate(second):
        for part, least, what in (
            (one.runs, _RUNS, "the same numbers"),
            (one.images, 2, "the same images"),
        ):
            if len(part) < least:
                continue
            shared: dict[int, int] = {}
            for run in part:
                for owner in owners.get(run, ()):
                    if not within or owner != number:
                        shared[owner] = shared.get(owner, 0) + 1
            needed = _SHARE * len(part) if what == "the same numbers" else len(part)
            best = max(shared, key=lambda owner: shared[owner], default=None)
            if best is not None and shared[best] >= needed:
                yield best, number, what
                break


def _rows(episode: Episode, without: set[str]) -> np.ndarray:
    """All numbers side by side, float32 (t, n)."""
    parts = []
    for given in (episode.observation, episode.action):
        for name in sorted(given):
            values = given[name]
            if name in without or not isinstance(values, np.ndarray):
                continue
            values = values.reshape(len(episode), -1)
            if values.dtype.kind == "f":
                parts.append(values.astype(np.float32))
    return np.concatenate(parts, axis=1) if parts else np.zeros((len(episode), 0), np.float32)


def _runs(rows: np.ndarray) -> Iterator[bytes]:
    if len(rows) < _RUN:
        return
    changes = np.cumsum((np.diff(rows, axis=0) != 0).sum(axis=1), dtype=np.int64)
    within = changes[_RUN - 2 :] - np.concatenate([[0], changes[: 1 - _RUN]])
    for start in np.flatnonzero(within >= _VARIED).tolist():
        yield hashlib.blake2b(rows[start : start + _RUN].tobytes(), digest_size=8).digest()


def _images(episode: Episode, cameras: Sequence[str]) -> Iterator[bytes]:
    for name in cameras:
        if name in episode.observation:
            images = episode.observation[name]
            for step in evenly(len(episode), 3):
                raw = images[step]
                content = raw if isinstance(raw, bytes) else np.ascontiguousarray(raw).tobytes()
                yield hashlib.blake2b(content, digest_size=8).digest()
            return
