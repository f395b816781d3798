"""What a LeRobot folder's features mean for a body, from a Standard or from a description file."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from octoverse import registry
from octoverse.data.lerobot import format as form
from octoverse.data.lerobot.metadata import read_json
from octoverse.data.standard import Standard, Taken
from octoverse.embodiment import Camera, Embodiment, GoalImage, Instruction, differences
from octoverse.errors import BadConfig, BadData, UnknownName

TASK = ("task", "task_index")
"""The words of task_index, as LeRobot names them and as the column is called."""


@dataclass(frozen=True, kw_only=True)
class Declared:
    """A declaration with what recordings of ours say beside it."""

    standard: Standard
    observation_valid: Mapping[str, Taken] = field(default_factory=dict)
    action_valid: Mapping[str, Taken] = field(default_factory=dict)

    @property
    def told(self) -> tuple[object, ...]:
        """All of it in plain types, for a fingerprint."""
        masks = (self.observation_valid, self.action_valid)
        return (self.standard.told, *({k: v.told for k, v in mask.items()} for mask in masks))


def read_description(folder: Path, mapping: Path | None) -> form.Description:
    """Read meta/octoverse.json, or the file given in its place.

    Raises:
        BadData: if there is none, or it was written for a body that is installed otherwise.
    """
    path = mapping or folder / form.DESCRIPTION
    if not path.exists():
        raise BadData(
            f"{folder}: found no {form.DESCRIPTION}, which says what the features mean. "
            "Write one (body, observation, action) and give it as `mapping`, or give a `standard`; "
            "octoverse data inspect suggests one."
        )
    found: form.Description = read_json(path, form.Description)
    body: Embodiment = registry.load("embodiment", found.body.name)
    wrong = differences(body, found.body)
    if wrong:
        raise BadData(
            f"{folder}: expected '{body.name}' as it is installed (here), got a recording "
            f"of another one (there): {'; '.join(wrong)}. Record again, or install the body "
            "that it was recorded with."
        )
    return found


def from_description(description: form.Description) -> Declared:
    """A description as a declaration."""
    body, seen = description.body, description.observation
    words = {k: v.feature for k, v in seen.items() if _kind(body, k) is Instruction}
    return Declared(
        standard=Standard(
            embodiment=body.name,
            observation={k: _taken(v) for k, v in seen.items() if k not in words},
            action={k: _taken(v) for k, v in description.action.items()},
            instruction=words,
        ),
        observation_valid={k: _taken(v) for k, v in description.observation_valid.items()},
        action_valid={k: _taken(v) for k, v in description.action_valid.items()},
    )


def check(declared: Declared, body: Embodiment, folder: Path, features: Mapping[str, Any]) -> None:
    """Raise unless the body has what is declared, and the folder the features it is taken from.

    Raises:
        UnknownName: if the body has no such stream or group.
        BadConfig: if a camera is not taken from one whole feature, or may be absent.
        BadData: if info.json lacks a feature.
    """
    standard = declared.standard
    if standard.black_is_absent:
        raise BadConfig(
            f"{folder}: black_is_absent is for RLDS, where images are at hand; leave out what a "
            "LeRobot folder lacks."
        )
    wanted: list[str] = []
    for name, taken in standard.observation.items():
        kind = _kind(body, name)
        if kind in (Camera, GoalImage) and (len(taken.names) > 1 or taken.convert):
            raise BadConfig(f"'{body.name}.{name}': a camera is taken from one whole feature.")
        wanted += taken.names
    for name in standard.action:
        if name not in body.action:
            raise UnknownName(f"action group of '{body.name}'", name, body.action)
        wanted += standard.action[name].names
    for name, feature in standard.instruction.items():
        _kind(body, name)
        if feature not in TASK:
            wanted.append(feature)
    for taken in (*declared.observation_valid.values(), *declared.action_valid.values()):
        wanted += taken.names
    for feature in wanted:
        if feature not in features:
            raise BadData(
                f"{folder}: the declaration names the feature '{feature}', which {form.INFO} "
                f"lacks. It has: {', '.join(features)}."
            )


def _kind(body: Embodiment, name: str) -> type:
    if name not in body.observation:
        raise UnknownName(f"stream of '{body.name}'", name, body.observation)
    return type(body.observation[name])


def _taken(part: form.Part) -> Taken:
    return Taken(feature=part.feature, start=part.start or 0, stop=part.stop)
