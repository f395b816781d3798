"""Missing, single, empty-worded and doubled instructions."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator

import numpy as np

from octoverse.data.doctor.finding import Finding
from octoverse.data.doctor.looking import Recording
from octoverse.embodiment import Instruction

_EMPTY = {
    "",
    "none",
    "null",
    "nan",
    "n/a",
    "na",
    "valid",
    "invalid",
    "dummy",
    "todo",
    "test",
    "task",
}


def words(recording: Recording) -> Iterator[Finding]:
    """Read the instructions of every step looked at."""
    for name, spec in recording.body.observation.items():
        if isinstance(spec, Instruction):
            yield from _of_stream(recording, name)


def is_hollow(text: str) -> bool:
    """Whether words stand where an instruction should, and say nothing."""
    return text.strip().lower().strip(".") in _EMPTY


def _of_stream(recording: Recording, name: str) -> Iterator[Finding]:
    said: Counter[str] = Counter()
    without, total, changing = 0, 0, 0
    for episode in recording.episodes:
        if name not in episode.observation:
            continue
        texts = list(episode.observation[name])
        valid = episode.observation_valid.get(name, np.ones(len(texts), bool))
        spoken = [text for text, known in zip(texts, valid, strict=True) if known and text.strip()]
        said.update(spoken)
        total += len(texts)
        without += len(texts) - len(spoken)
        changing += len(set(spoken)) > 1
    if not total:
        return
    if without:
        yield Finding(
            check="words",
            severity="suspicion",
            where=name,
            message=f"{without / total:.1%} of the steps have no instruction.",
            evidence={"without words": without, "steps": total},
            cure="Label them, or train with goals or without words on these.",
        )
    hollow = {text for text in said if is_hollow(text)}
    if hollow:
        yield Finding(
            check="words",
            severity="fault",
            where=name,
            message=f"Instructions that say nothing: {', '.join(map(repr, sorted(hollow)))}.",
            evidence={"steps": sum(said[text] for text in hollow), "of": total},
            cure="Take the instruction from another feature, or mask these steps.",
        )
    alike = defaultdict(set)
    for text in said:
        alike[" ".join(re.findall(r"\w+", text.lower()))].add(text)
    doubled = [sorted(texts) for texts in alike.values() if len(texts) > 1]
    if doubled:
        yield Finding(
            check="words",
            severity="suspicion",
            where=name,
            message=f"{len(doubled)} instructions are written in more than one way, such as "
            f"{' and '.join(map(repr, doubled[0][:3]))}.",
            evidence={"doubled": len(doubled), "different": len(said)},
            cure="Write them in one way.",
        )
    if len(said) == 1:
        yield Finding(
            check="words",
            severity="information",
            where=name,
            message=f"There is one instruction only, {next(iter(said))!r}: a policy cannot learn "
            "from these data what words mean.",
            evidence={"different": 1, "steps": total},
        )
    elif said:
        yield Finding(
            check="words",
            severity="information",
            where=name,
            message=f"There are {len(said)} different instructions"
            + (f"; they change within {changing} episodes." if changing else "."),
            evidence={"different": len(said), "steps": total},
        )
