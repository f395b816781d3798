"""What is absent or masked, and episodes that are too short or were cut."""

from collections.abc import Iterator

import numpy as np

from octoverse.data.doctor.finding import Finding
from octoverse.data.doctor.looking import Recording
from octoverse.embodiment import GoalImage, PathGroup

CHUNK = 8
"""Control steps of a chunk that a window asks for by default."""
_EPISODES = 5
"""Episodes needed before one common length means anything."""


def coverage(recording: Recording) -> Iterator[Finding]:
    """Look for streams and groups without a single valid value, and at the episodes' lengths."""
    yield from _absent(recording)
    yield from _sometimes(recording)
    for name, spec in recording.body.action.items():
        yield from _masked(recording, name)
        if isinstance(spec, PathGroup):
            yield from _paths(recording, name)
    yield from _lengths(recording)


def _absent(recording: Recording) -> Iterator[Finding]:
    lacking: list[str] = []
    optional: list[str] = []
    for name, stream in recording.body.observation.items():
        if isinstance(stream, GoalImage):
            continue  # Made of the recording's own images when samples are cut.
        seen = any(
            name in episode.observation
            and np.asarray(episode.observation_valid.get(name, True)).any()
            for episode in recording.episodes
        ) or bool(recording.pictures.get(name))
        if not seen:
            (optional if stream.optional else lacking).append(name)
    if lacking:
        yield Finding(
            check="coverage",
            severity="suspicion",
            where=", ".join(lacking),
            message=f"Nowhere in the data, though '{recording.body.name}' asks for it.",
            evidence={"absent": len(lacking), "declared": len(recording.body.observation)},
            cure="Fetch what is missing, or train on it beside data that have it.",
        )
    if optional:
        yield Finding(
            check="coverage",
            severity="information",
            where=", ".join(optional),
            message="Optional and absent throughout.",
            evidence={"absent": len(optional), "declared": len(recording.body.observation)},
        )


def _sometimes(recording: Recording) -> Iterator[Finding]:
    """Streams that some episodes have, and others not."""
    total = len(recording.episodes)
    for name in recording.body.observation:
        pictures = recording.pictures.get(name)
        having = (
            len({picture.episode for picture in pictures})
            if pictures
            else sum(name in episode.observation for episode in recording.episodes)
        )
        if 0 < having < total:
            yield Finding(
                check="coverage",
                severity="information",
                where=name,
                message=f"{having} of {total} episodes have it.",
                evidence={"episodes": having, "of": total},
            )


def _masked(recording: Recording, name: str) -> Iterator[Finding]:
    valid = total = 0
    for episode in recording.episodes:
        if name in episode.action:
            shape = episode.action[name].shape[:-1]
            total += int(np.prod(shape))
            known = episode.action_valid.get(name)
            valid += int(np.prod(shape)) if known is None else int(np.asarray(known).sum())
    if not valid:
        yield Finding(
            check="coverage",
            severity="fault",
            where=name,
            message="Its actions are "
            + ("masked everywhere." if total else "absent throughout.")
            + " Nothing can be learnt from them.",
            evidence={"valid": 0, "of": total},
            cure="Take the actions from the log, or train another body that lacks the group.",
        )
    elif valid < total:
        yield Finding(
            check="coverage",
            severity="information",
            where=name,
            message=f"{1 - valid / total:.1%} of its actions are masked.",
            evidence={"masked": total - valid, "of": total},
        )


def _paths(recording: Recording, name: str) -> Iterator[Finding]:
    spec = recording.body.action[name]
    assert isinstance(spec, PathGroup)
    longest = whole = steps = 0
    for episode in recording.episodes:
        if name in episode.action:
            shape = episode.action[name].shape[:-1]
            rows = np.asarray(episode.action_valid.get(name, np.ones(shape, bool))).sum(axis=1)
            longest, whole = (
                max(longest, int(rows.max(initial=0))),
                whole + int((rows == spec.steps).sum()),
            )
            steps += len(rows)
    if steps and longest and not whole:
        yield Finding(
            check="coverage",
            severity="suspicion",
            where=name,
            message=f"No step has a whole path of {spec.steps} rows: the longest has {longest}, "
            f"{longest / spec.hz:.3g} of {spec.steps / spec.hz:.3g} s.",
            evidence={"longest": longest, "rows of a path": spec.steps},
            cure="Judge shorter horizons on these data.",
        )


def _lengths(recording: Recording) -> Iterator[Finding]:
    lengths = recording.lengths
    short = int((lengths < CHUNK).sum())
    if short:
        yield Finding(
            check="coverage",
            severity="information" if short < len(lengths) else "suspicion",
            where="",
            message=f"{short} of {len(lengths)} episodes are shorter than a chunk of {CHUNK} "
            "steps.",
            evidence={"short": short, "shortest": int(lengths.min()), "chunk": CHUNK},
        )
    if len(lengths) >= _EPISODES and 1 < lengths.min() == lengths.max():
        yield Finding(
            check="coverage",
            severity="suspicion",
            where="",
            message=f"All {len(lengths)} episodes have exactly {int(lengths[0])} steps: they were "
            "probably cut, and end before the task does.",
            evidence={"episodes": len(lengths), "steps": int(lengths[0])},
            cure="Do not take their last image for a goal reached, nor their end for an end.",
        )
