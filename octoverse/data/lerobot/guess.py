"""Guess what an unknown LeRobot folder's features mean: a body and a declaration to start from.

Names, shapes and the numbers of a few episodes tell much, but not all: what they cannot tell is
said in notes. A guess is to be read and corrected, never to be used as it is.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from octoverse.data.lerobot import format as form
from octoverse.data.lerobot.columns import rows_of
from octoverse.data.lerobot.layout import Layout, layout_of
from octoverse.data.lerobot.metadata import read_info
from octoverse.data.lerobot.modality import modality_of
from octoverse.data.lerobot.numbers import Numbers, gripper_like, kind_of_motion, units_of
from octoverse.data.lerobot.python_text import python_text
from octoverse.data.standard import Standard, Taken
from octoverse.embodiment import (
    ActionGroup,
    Camera,
    Embodiment,
    Gripper,
    Instruction,
    JointPosition,
    JointVelocity,
    SafeStop,
    State,
    Stream,
)
from octoverse.errors import BadData

EPISODES = 5
"""Episodes whose numbers are looked at."""


@dataclass(frozen=True, kw_only=True)
class Guess:
    """A body and a declaration for one folder, and what could not be told."""

    folder: Path
    body: Embodiment
    standard: Standard
    notes: tuple[str, ...]

    @property
    def text(self) -> str:
        """Python to paste into a file of one's own, with the notes on top."""
        notes = "".join(f"# - {note}\n" for note in self.notes)
        return (
            f"# A guess at {self.folder.name}: check every line.\n{notes}"
            f"{python_text(BODY=self.body, STANDARD=self.standard)}"
        )


def guess(folder: Path) -> Guess:
    """Look at a folder's names, shapes and first episodes.

    Raises:
        BadData: if it is no LeRobot folder, is empty, or has no actions.
    """
    info = read_info(folder)
    look = _Look(folder, info, layout_of(folder, info))
    observation: dict[str, Stream] = {}
    seen: dict[str, Taken] = {}
    for name, feature, camera in look.cameras():
        observation[name], seen[name] = camera, Taken(feature=feature)
    for name, part, numbers in look.parts("state"):
        observation[name] = State(
            names=numbers.names, units=units_of(numbers), low=numbers.low, high=numbers.high
        )
        seen[name] = _taken(part)
    action: dict[str, ActionGroup] = {}
    done: dict[str, Taken] = {}
    for name, part, numbers in look.parts("action"):
        for label, start, stop in gripper_like(numbers):
            group = numbers.slice(start, stop)
            key = _unused(name if label == "motion" else label, action)
            action[key] = look.group(label, key, group, look.states.get(name))
            first = (part.start or 0) + start
            done[key] = Taken(feature=part.feature, start=first, stop=first + stop - start)
    if not action:
        raise BadData(f"{folder}: found no feature of actions among {', '.join(info.features)}.")
    look.notes.append("units are rad where all numbers could be: shares and metres look the same.")
    words = look.instruction()
    if words:
        observation["instruction"] = Instruction()
    name = _word(str(info.robot_type or folder.name))
    body = Embodiment(
        name=name,
        control_hz=float(info.fps),
        observation=observation,
        action=action,
        safe_stop=SafeStop(kind="hold"),
    )
    standard = Standard(
        embodiment=name,
        observation=seen,
        action=done,
        instruction={"instruction": words} if words else {},
    )
    return Guess(folder=folder, body=body, standard=standard, notes=tuple(look.notes))


class _Look:
    """One folder, as far as it is looked at."""

    def __init__(self, folder: Path, info: form.Info, layout: Layout) -> None:
        self.info, self.layout, self.notes = info, layout, list[str]()
        self.names = modality_of(folder)
        self.episodes = layout.episodes()[:EPISODES]
        if not self.episodes:
            raise BadData(f"{folder}: expected at least one episode, the data set is empty.")
        self.states: dict[str, Numbers] = {}
        """By the name of the action that they are of."""

    def cameras(self) -> Iterator[tuple[str, str, Camera]]:
        """Name, feature and camera of every feature of images that is there."""
        for key, feature in self.info.features.items():
            if feature.dtype not in ("video", "image"):
                continue
            if feature.dtype == "video":
                path = self.layout.clip(self.episodes[0], key).path
                if not path.exists():
                    self.notes.append(f"'{key}' is left out: there is no file {path.name} for it.")
                    continue
            name = _word(key.rpartition(".")[2])
            # Sizes stand first or last: (h, w, 3), or (3, h, w) in older folders.
            shape = [size for size in feature.shape if size != 3] or [1, 1]
            wrist = any(word in name for word in ("wrist", "hand", "gripper", "eye_in"))
            role = "wrist" if wrist else "primary"
            camera = Camera(height=shape[0], width=shape[1], role=role)
            self.notes.append(f"camera '{name}': is it really {role}? A name can mislead.")
            yield name, key, camera

    def parts(self, side: str) -> Iterator[tuple[str, form.Part, Numbers]]:
        """Name, place and numbers of every part of the state, or of the action."""
        named = {k: v for k, v in self.names.items() if k.startswith(f"{side}.")}
        prefix = form.STATE if side == "state" else form.ACTION
        whole = {
            key: form.Part(feature=key)
            for key, feature in self.info.features.items()
            if (key == prefix or key.startswith(f"{prefix}."))
            and feature.dtype.startswith("float")
            and len(feature.shape) == 1
        }
        for key, part in (named or whole).items():
            numbers = self.numbers(part)
            if not np.ptp(numbers.values, axis=0).any():
                self.notes.append(f"'{key}' is left out: its numbers never change.")
                continue
            short = {form.STATE: "joints", form.ACTION: "arm"}.get(key) or _word(
                key.removeprefix(f"{prefix}.").removeprefix(f"{side}.")
            )
            if side == "state":
                self.states["arm" if key == form.STATE else short] = numbers
            yield short, part, numbers

    def numbers(self, part: form.Part) -> Numbers:
        """The numbers of a part in the episodes looked at."""
        feature = self.info.features[part.feature]
        size = feature.shape[0]
        found = []
        for row in self.episodes:
            column = rows_of(self.layout.span(row)).read([part.feature])[part.feature]
            found.append(np.array(column.to_pylist(), np.float64).reshape(-1, size))
        names = _flat(feature.names)
        if len(names) != size:
            names = [f"number_{i}" for i in range(size)]
        pick = slice(part.start or 0, part.stop)
        values = np.concatenate(found)[:, pick]
        if not np.isfinite(values).all():
            count = int((~np.isfinite(values)).any(axis=1).sum())
            self.notes.append(f"'{part.feature}' has {count} rows that are not finite.")
            values = np.nan_to_num(values, posinf=0.0, neginf=0.0)
        return Numbers(
            values=values,
            ends=np.cumsum([len(rows) for rows in found]),
            names=tuple(_word(name) for name in names[pick]),
        )

    def group(self, label: str, name: str, numbers: Numbers, state: Numbers | None) -> ActionGroup:
        """What a run of action numbers is."""
        if label == "gripper":
            self.notes.append(
                f"'{name}' goes from {numbers.values.min():g} to {numbers.values.max():g}: which "
                "end is open cannot be told from the data. Here 1 = open; convert where it is not."
            )
            return Gripper(names=numbers.names, units=("1",) * len(numbers.names))
        kind = kind_of_motion(numbers, state, float(self.info.fps))
        self.notes.append(f"'{name}': {kind.why}")
        build = JointVelocity if kind.velocity else JointPosition
        units = tuple(f"{u}/s" if kind.velocity else u for u in units_of(numbers))
        return build(names=numbers.names, units=units, low=numbers.low, high=numbers.high)

    def instruction(self) -> str:
        """The feature with the words; empty where there is none."""
        features: Mapping[str, Any] = self.info.features
        for key in features:
            if key.endswith(("task_description", "task.instructions")):
                return key
        said = set(self.layout.tasks().values()) - {""} if "task_index" in features else set()
        return "task" if said else ""


def _taken(part: form.Part) -> Taken:
    return Taken(feature=part.feature, start=part.start or 0, stop=part.stop)


def _flat(names: Any) -> list[str]:
    """Names however they are nested: lists in lists, or a dict with one list."""
    if isinstance(names, Mapping):
        return [one for value in names.values() for one in _flat(value)]
    if isinstance(names, list | tuple):
        return [one for value in names for one in _flat(value)]
    return [names] if isinstance(names, str) else []


def _word(text: str) -> str:
    return "".join(c if c.isalnum() else "_" for c in text).strip("_").lower() or "unnamed"


def _unused(name: str, known: Mapping[str, Any]) -> str:
    count, found = 2, name
    while found in known:
        found, count = f"{name}_{count}", count + 1
    return found
