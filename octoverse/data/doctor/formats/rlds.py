"""What an RLDS folder says of its episodes, held against what is in them."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from octoverse import registry
from octoverse.data.dataset import DataSet
from octoverse.data.doctor.finding import Finding
from octoverse.data.doctor.looking import Recording
from octoverse.data.doctor.sampling import evenly
from octoverse.data.rlds.facts import Facts, read_facts
from octoverse.data.rlds.native import Records
from octoverse.data.rlds.source import RldsSource
from octoverse.preprocess import decode

_LOOKED = 50
"""Episodes whose marks and flags are read."""
_BLACK = 8


def examine(recording: Recording) -> Iterator[Finding]:
    """Look at marks of the end, flags, identifiers and features that the declaration leaves."""
    source = recording.source
    assert isinstance(source, RldsSource)
    facts = read_facts(str(source.folder), source.split)
    records = Records.find(facts.parts, facts.metadata, None)
    episodes = [_seen(facts, records, i) for i in evenly(len(records.steps), _LOOKED)]
    black = {
        name: sum(episode.get(name, True) for episode in episodes)
        for name, feature in facts.features.items()
        if feature.kind == "image"
    }
    yield from _marks(episodes)
    yield from _flags(facts, episodes, black)
    yield from _identifiers(facts, episodes)
    yield from _unused(source, facts, black, len(episodes))


def _seen(facts: Facts, records: Records, index: int) -> dict[str, Any]:
    """Of every image whether the first is black, of every other feature its plain values.

    What a record holds is good until the next one is read, so nothing of it is kept.
    """
    wanted = {name for name, feature in facts.features.items() if feature.kind != "other"}
    found: dict[str, Any] = {}
    for name, values in records.record(index, wanted).items():
        if facts.features[name].kind == "image":
            found[name] = not len(values) or bool(decode(bytes(values[0])).max() <= _BLACK)
        elif isinstance(values, np.ndarray):
            found[name] = values.copy()
        else:
            found[name] = bytes(values[0]) if len(values) else b""
    return found


def _marks(episodes: list[dict[str, Any]]) -> Iterator[Finding]:
    ends = [name for name in ("steps/is_last", "steps/is_terminal") if name in episodes[0]]
    unset = [name for name in ends if not any(episode[name].any() for episode in episodes)]
    if "steps/is_last" in unset:
        yield Finding(
            check="rlds",
            severity="fault",
            where=", ".join(unset),
            message=f"Set in none of {len(episodes)} episodes: they were cut before their end, or "
            "the mark was forgotten.",
            evidence={"marked": 0, "episodes": len(episodes)},
            cure="Do not take the last step for an end, nor its image for a goal reached.",
        )


def _flags(
    facts: Facts, episodes: list[dict[str, Any]], black: Mapping[str, int]
) -> Iterator[Finding]:
    """Flags such as episode_metadata/has_image_0, against the images of that name."""
    wrong: dict[str, int] = {}
    for flag in facts.features:
        named = re.search(r"(?:^|/)has_(.+)$", flag)
        camera = named and next((c for c in black if c.rpartition("/")[2] == named[1]), None)
        if not camera:
            continue
        for episode in episodes:
            said = np.asarray(episode.get(flag, ())).any()
            wrong[flag] = wrong.get(flag, 0) + int(said == episode.get(camera, True))
    told = {flag: count for flag, count in wrong.items() if count}
    if told:
        yield Finding(
            check="rlds",
            severity="fault",
            where=", ".join(sorted(told)),
            message="These flags say the opposite of what the images show, in "
            f"{min(told.values())} to {max(told.values())} of {len(episodes)} episodes each.",
            evidence={"episodes": len(episodes), **told},
            cure="Go by the images, not by the flags.",
        )


def _identifiers(facts: Facts, episodes: list[dict[str, Any]]) -> Iterator[Finding]:
    for name in facts.features:
        if name.rpartition("/")[2] not in ("episode_id", "file_path"):
            continue
        found = [bytes(episode[name]) for episode in episodes if name in episode]
        if len(set(found)) < len(found):
            yield Finding(
                check="rlds",
                severity="information",
                where=name,
                message=f"{len(found)} episodes share {len(set(found))} values: it does not tell "
                "them apart, and the same value does not make a copy.",
                evidence={"values": len(set(found)), "episodes": len(found)},
            )


def _unused(
    source: RldsSource, facts: Facts, black: Mapping[str, int], episodes: int
) -> Iterator[Finding]:
    standard = source.standard
    if standard is None:
        declared: DataSet = registry.load("dataset", f"oxe/{facts.name}")
        standard = declared.standard
    assert standard is not None
    sides = (standard.observation, standard.action)
    used = {name for side in sides for taken in side.values() for name in taken.names}
    used |= set(standard.instruction.values())
    for name, count in black.items():
        if name not in used and count:
            yield Finding(
                check="rlds",
                severity="information",
                where=name,
                message=f"The declaration leaves it unused; it begins black in {count} of "
                f"{episodes} episodes looked at.",
                evidence={"black": count, "episodes": episodes},
            )
    left = [name for name in facts.features if name not in used and name not in black]
    if left:
        yield Finding(
            check="rlds",
            severity="information",
            where="",
            message=f"The declaration leaves {len(left)} features unused: "
            f"{', '.join(sorted(left))}.",
            evidence={"unused": len(left), "features": len(facts.features)},
        )
