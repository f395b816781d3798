"""List what an undeclared TFDS folder holds, and guess a body and a declaration to start from.

Names, shapes and the numbers of a few episodes tell much, but not the frame of an action, its units
or which end of a gripper is open. A guess is to be read and corrected, never to be used as it is.
"""

from collections.abc import Mapping

import numpy as np

from octoverse.data.lerobot.numbers import Numbers, gripper_like, units_of
from octoverse.data.lerobot.python_text import python_text
from octoverse.data.rlds.facts import Facts, Feature, read_facts
from octoverse.data.rlds.native import Records
from octoverse.data.standard import Standard, Taken
from octoverse.embodiment import (
    ActionGroup,
    Camera,
    Embodiment,
    EndEffectorDelta,
    Gripper,
    Instruction,
    JointPosition,
    SafeStop,
    State,
    Stream,
)

EPISODES = 5
"""Episodes whose numbers are looked at."""
_LARGEST = 64
"""Numbers of a state; longer vectors are taken for embeddings."""
_DELTA = 0.3
"""Six numbers whose mean size is below this, about zero, are taken for a change of pose."""
_HZ = 10.0
"""What a guess says of the rate, which RLDS does not tell."""


def guess_text(folder: str, split: str = "train") -> str:
    """The features of a folder, and a guess as Python to correct.

    Raises:
        BadData: if it is no TFDS folder, or its records are damaged.
    """
    facts = read_facts(folder, split)
    width = max(map(len, facts.features))
    listed = "\n".join(f"  {n:<{width}}  {f.words}" for n, f in sorted(facts.features.items()))
    notes, body, standard = _guessed(facts)
    told = "".join(f"# - {note}\n" for note in notes)
    return (
        f"The data set '{facts.name}' is not declared. Its features:\n{listed}\n\n"
        f"# A guess at {facts.name}: check every line.\n{told}"
        f"{python_text(BODY=body, STANDARD=standard)}"
    )


def _guessed(facts: Facts) -> tuple[list[str], Embodiment, Standard]:
    notes = [
        f"control_hz is not told by RLDS: {_HZ:g} stands here for what the makers say.",
        "the frame and the units of states and actions cannot be told from the data.",
    ]
    steps = {n: f for n, f in facts.features.items() if f.per_step and not f.ragged}
    observation: dict[str, Stream] = {}
    seen: dict[str, Taken] = {}
    vectors = _vectors(facts, steps)
    for name, feature in sorted(steps.items()):
        short = name.rpartition("/")[2]
        if feature.kind == "image" and feature.shape[-1] == 3:
            height, width = (int(size or 1) for size in feature.shape[:2])
            role = "wrist" if any(w in short for w in ("wrist", "hand")) else "primary"
            observation[short] = Camera(height=height, width=width, role=role)
            seen[short] = Taken(feature=name)
            notes.append(f"camera '{short}': is it really {role}? A name can mislead.")
        elif name in vectors and name.startswith("steps/observation/"):
            numbers = vectors[name]
            observation[short] = State(
                names=numbers.names, units=units_of(numbers), low=numbers.low, high=numbers.high
            )
            seen[short] = Taken(feature=name)
    words = [n for n, f in sorted(steps.items()) if f.kind == "text" and "instruction" in n]
    if words:
        observation["instruction"] = Instruction()
    action: dict[str, ActionGroup] = {}
    done: dict[str, Taken] = {}
    for name, numbers in vectors.items():
        if name != "steps/action" and not name.startswith("steps/action/"):
            continue
        for label, start, stop in gripper_like(_named(name, numbers)):
            group = numbers.slice(start, stop)
            key = _unused("gripper" if label == "gripper" else "arm", action)
            action[key], note = _group(label, group)
            done[key] = Taken(feature=name, start=start, stop=stop)
            notes.append(f"'{key}' ({name} {start} to {stop}): {note}")
    if not observation:
        notes.append("no camera or state was found: an Instruction stands in for it.")
        observation["instruction"] = Instruction()
    if not action:
        notes.append("no vector of actions was found: a Gripper stands in for it.")
        action["gripper"] = Gripper()
    body = Embodiment(
        name=facts.name,
        control_hz=_HZ,
        observation=observation,
        action=action,
        safe_stop=SafeStop(kind="hold"),
    )
    standard = Standard(
        embodiment=facts.name,
        observation=seen,
        action=done,
        instruction={"instruction": words[0]} if words else {},
    )
    return notes, body, standard


def _vectors(facts: Facts, steps: Mapping[str, Feature]) -> dict[str, Numbers]:
    """The vectors of numbers of the first episodes, by feature."""
    wanted = [
        name
        for name, feature in sorted(steps.items())
        if feature.kind == "numbers"
        and feature.encoding == "none"
        and feature.dtype.startswith("float")
        and len(feature.shape) <= 1
        and (feature.shape or (1,))[0] in range(1, _LARGEST + 1)
        and name.startswith(("steps/observation/", "steps/action"))
    ]
    records = Records.find(facts.parts, facts.metadata, None)
    found: dict[str, list[np.ndarray]] = {name: [] for name in wanted}
    ends: list[int] = []
    for index in range(min(EPISODES, len(records.steps))):
        record, count = records.record(index, wanted), int(records.steps[index])
        if not count:
            continue
        ends.append((ends[-1] if ends else 0) + count)
        for name in wanted:
            rows = np.array(record[name], np.float64).reshape(count, -1)
            found[name].append(np.nan_to_num(rows, posinf=0.0, neginf=0.0))
    return {
        name: Numbers(
            values=np.concatenate(rows),
            ends=np.array(ends),
            names=tuple(f"number_{i}" for i in range(rows[0].shape[1])),
        )
        for name, rows in found.items()
        if rows
    }


def _named(feature: str, numbers: Numbers) -> Numbers:
    """With the feature's name in those of its numbers, which may say gripper."""
    short = feature.rpartition("/")[2]
    names = tuple(f"{short}_{i}" for i in range(len(numbers.names)))
    return Numbers(values=numbers.values, ends=numbers.ends, names=names)


def _group(label: str, numbers: Numbers) -> tuple[ActionGroup, str]:
    low, high = numbers.values.min(), numbers.values.max()
    if label == "gripper" and len(numbers.names) == 1:
        return Gripper(), (
            f"goes from {low:g} to {high:g}: which end is open cannot be told from the data. Here "
            "1 = open; convert where it is not."
        )
    if len(numbers.names) == 6 and np.abs(numbers.values).mean() < _DELTA:
        return EndEffectorDelta(), (
            "six small numbers about zero: taken for metres and roll, pitch, yaw from step to step."
        )
    return (
        JointPosition(
            names=numbers.names, units=units_of(numbers), low=numbers.low, high=numbers.high
        ),
        "positions, velocities or a pose: cannot be told from the data.",
    )


def _unused(name: str, known: Mapping[str, object]) -> str:
    count, found = 2, name
    while found in known:
        found, count = f"{name}_{count}", count + 1
    return found
