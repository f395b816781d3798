"""Make an episode in a body's units and conventions out of the features of one record."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from octoverse.data.rlds.example import Values
from octoverse.data.rlds.facts import Feature
from octoverse.data.rlds.values import numbers, stored_names, strings, words
from octoverse.data.standard import Standard, Taken
from octoverse.embodiment import ActionGroup, Camera, Embodiment, Stream
from octoverse.errors import BadConfig, BadData, UnknownName

LAST = "steps/is_last"
"""The action of a step that it marks is undefined in RLDS."""


def check_declaration(
    standard: Standard, body: Embodiment, features: Mapping[str, Feature], folder: str
) -> None:
    """Raise unless a data set has what a declaration takes of it, in kind and in size.

    Raises:
        UnknownName: if the data set lacks a feature, or the body a stream or group.
        BadConfig: if a feature is of another kind or too small.
    """
    for side, declared, known in (
        ("stream", standard.observation, body.observation),
        ("action group", standard.action, body.action),
    ):
        for name, taken in declared.items():
            if name not in known:
                raise UnknownName(f"{side} of '{body.name}', declared for {folder},", name, known)
            part: Stream | ActionGroup = known[name]
            for feature in taken.names:
                camera = isinstance(part, Camera)
                told = _told(features, feature, folder)
                _check_kind(name, feature, told, ("image",) if camera else ("numbers",), folder)
                if camera and (told.dtype != "uint8" or told.shape[-1] not in (1, 3, None)):
                    raise _unfit(name, feature, "uint8 images of 1 or 3 channels", told, folder)
            if isinstance(part, Camera):
                if len(taken.names) > 1 or taken.convert:
                    raise BadConfig(f"'{name}' is a camera: give one feature and no convert.")
            else:
                _check_size(name, taken, part, features, folder)
    for name, feature in standard.instruction.items():
        if name not in body.observation:
            known = body.observation
            raise UnknownName(f"stream of '{body.name}', declared for {folder},", name, known)
        told = _told(features, feature, folder)
        _check_kind(name, feature, told, ("text", "numbers"), folder)
        if told.shape if told.kind == "text" else told.dtype.startswith("float"):
            raise _unfit(name, feature, "one text, or its codes as integers", told, folder)


def taken_names(standard: Standard, features: Mapping[str, Feature]) -> frozenset[str]:
    """The names of a record's features that a declaration needs."""
    taken = [*standard.observation.values(), *standard.action.values()]
    names = [name for one in taken for name in one.names] + [*standard.instruction.values()]
    stored = [part for name in names for part in stored_names(name, features[name])]
    return frozenset([*stored, LAST])


def standardise(
    record: Mapping[str, Values],
    features: Mapping[str, Feature],
    standard: Standard,
    body: Embodiment,
    steps: int,
    where: str,
    images: Callable[[Sequence[bytes]], Sequence[bytes]],
) -> dict[str, Any]:
    """Streams, action groups and their masks: those fields of an Episode.

    Args:
        record: The features of one record that `taken_names` names.
        features: What the metadata tell of them.
        standard: What becomes of them.
        body: Whose conventions these are.
        steps: Of the episode.
        where: The record, in words, for errors.
        images: Makes a camera's images lazy.

    Raises:
        BadData: if the record does not fit the metadata, or holds numbers that are not finite.
    """
    last = np.zeros(steps, bool)
    if LAST in record and LAST in features:
        last = numbers(record, LAST, features[LAST], steps, where)[:, 0].astype(bool)
    observation: dict[str, Any] = {}
    observation_valid: dict[str, np.ndarray] = {}
    for name, taken in standard.observation.items():
        stream = body.observation[name]
        if isinstance(stream, Camera):
            found = strings(record, taken.feature, features[taken.feature], steps, where)
            observation[name] = images(found)
        else:
            rows, real = _taken(name, record, features, taken, steps, where)
            _check_rows(name, stream, rows, real, steps, where)
            observation[name] = rows
            if real is not None:
                observation_valid[name] = real
    for name, feature in standard.instruction.items():
        said = words(record, feature, features[feature], steps, where)
        observation[name] = said
        if not all(said):
            observation_valid[name] = np.array([bool(word) for word in said])
    action, action_valid = {}, {}
    for name, taken in standard.action.items():
        rows, real = _taken(name, record, features, taken, steps, where)
        valid = ~last if real is None else real & ~last
        _check_rows(name, body.action[name], rows, valid, steps, where)
        action[name] = rows
        if not valid.all():
            action_valid[name] = valid
    return {
        "observation": observation,
        "observation_valid": observation_valid,
        "action": action,
        "action_valid": action_valid,
    }


def _taken(
    name: str,
    record: Mapping[str, Values],
    features: Mapping[str, Feature],
    taken: Taken,
    steps: int,
    where: str,
) -> tuple[np.ndarray, np.ndarray | None]:
    arrays = [numbers(record, each, features[each], steps, where) for each in taken.names]
    try:
        return taken.numbers(*arrays)
    except (BadData, ValueError) as error:
        raise BadData(f"{where}, '{name}' of {', '.join(taken.names)}: {error}") from error


def _check_rows(
    name: str,
    part: Stream | ActionGroup,
    rows: np.ndarray,
    real: np.ndarray | None,
    steps: int,
    where: str,
) -> None:
    names = getattr(part, "names", None)
    if len(rows) != steps or (names and rows.shape[1:] != (len(names),)):
        expected = f"({steps}, {len(names) if names else 'n'})"
        raise BadData(
            f"{where}, '{name}': expected numbers {expected}, got {rows.shape}. "
            "Correct the declaration (start, stop or convert)."
        )
    bad = ~np.isfinite(rows)
    if real is not None:
        bad &= real[:, None]
    if bad.any():
        step, number = np.argwhere(bad)[0]
        label = f"number {number}" + (f" ({names[number]})" if names else "")
        raise BadData(
            f"{where}, '{name}', step {step}, {label}: expected a finite number, "
            f"got {rows[step, number]}. Leave the episode out with a slice of the split, or mask "
            "such steps in the declaration's convert."
        )


def _told(features: Mapping[str, Feature], name: str, folder: str) -> Feature:
    if name not in features:
        raise UnknownName(f"feature in {folder} (features.json)", name, features)
    return features[name]


def _check_kind(
    name: str, feature: str, told: Feature, kinds: tuple[str, ...], folder: str
) -> None:
    if told.kind not in kinds:
        expected = {"image": "encoded images", "numbers": "numbers", "text": "text"}
        raise _unfit(name, feature, " or ".join(expected[kind] for kind in kinds), told, folder)


def _check_size(
    name: str,
    taken: Taken,
    part: Stream | ActionGroup,
    features: Mapping[str, Feature],
    folder: str,
) -> None:
    total = 0
    for feature in taken.names:
        told = features[feature]
        if told.ragged:
            return
        size = int(np.prod([size or 0 for size in told.shape]))
        stop = size if taken.stop is None else taken.stop
        if stop > size or taken.start >= stop:
            wanted = f"numbers [{taken.start}, {stop}) of each step"
            raise _unfit(name, feature, wanted, told, folder)
        total += stop - taken.start
    names = getattr(part, "names", None)
    if taken.convert is None and names and total != len(names):
        raise _unfit(name, taken.names[0], f"{len(names)} numbers in all", told, folder)


def _unfit(name: str, feature: str, expected: str, told: Feature, folder: str) -> BadConfig:
    return BadConfig(
        f"{folder}, '{feature}': declared as '{name}', which takes {expected}; got {told.words} "
        "(features.json). Correct the declaration."
    )
