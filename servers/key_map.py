"""The map between an existing client's keys and one body: checked once, used for every frame."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from octoverse.acting import ActingPolicy
from octoverse.embodiment import (
    ActionGroup,
    Camera,
    Command,
    Embodiment,
    GoalImage,
    Instruction,
    State,
    kind_of,
)
from octoverse.errors import BadConfig, SpecMismatch, UnknownName
from octoverse.servers.client_values import image, index, numbers, text
from octoverse.servers.frontend_settings import Opening, Parts, Settings

_PART = re.compile(r"(?P<name>.+?)(\[(?P<first>\d{1,4}):(?P<end>\d{1,4})\])?")


@dataclass(frozen=True)
class _Part:
    name: str
    range: slice
    size: int | None
    """How many numbers; None for all that there are."""


class KeyMap:
    """Turns a client's observations into frames of a body, and its actions into the client's.

    Args:
        settings: Which key is what.
        policy: Knows the body, and how many rows its chunks have.

    Raises:
        UnknownName: if the policy, or the body, has nothing of a name.
        BadConfig: if something that the body needs is not mapped, or mapped to what does not fit.
    """

    def __init__(self, settings: Settings, policy: ActingPolicy) -> None:
        if settings.body not in policy.bodies:
            raise UnknownName(f"body of {policy.model}", settings.body, policy.bodies)
        self.body: Embodiment = policy.bodies[settings.body]
        self._words = settings.words
        self.ignored = frozenset(settings.ignored)
        """The client's keys that nobody looks at."""
        self._streams = {name: _parts(made) for name, made in settings.observation.items()}
        self._actions = {key: _parts(made) for key, made in settings.action.items()}
        self.keys = tuple(dict.fromkeys(p.name for parts in self._streams.values() for p in parts))
        """The client's keys that are read."""
        self._check_streams()
        rows = policy.horizons[self.body.name]
        self._check_actions(rows, settings.withheld)
        self.horizons = {key: rows[parts[0].name] for key, parts in self._actions.items()}
        """Rows of what the client is sent, by its keys."""
        self._felt = _openings(self.body.observation, settings.grippers.observation)
        self._moved = _openings(self.body.action, settings.grippers.action)

    def frame(self, observation: Mapping[str, Any]) -> tuple[dict[str, np.ndarray], dict[str, str]]:
        """Take a client's observation, by its keys, for one of the body.

        Returns:
            The arrays and the words of a frame, by stream; images are (h, w, 3).

        Raises:
            SpecMismatch: in words, if a key is missing, unknown or not what its stream needs.
        """
        if unknown := observation.keys() - set(self.keys) - self.ignored:
            raise SpecMismatch(
                f"observation: expected {', '.join(sorted(self.keys))}, got also "
                f"{', '.join(map(repr, sorted(map(str, unknown))))}. Map it to a stream of "
                f"'{self.body.name}' in the frontend's file, or name it there under `ignored`."
            )
        arrays, words = {}, dict(self._words)
        for name, parts in self._streams.items():
            stream = self.body.observation[name]
            missing = [part.name for part in parts if part.name not in observation]
            if missing and not stream.optional and name not in words:
                raise SpecMismatch(
                    f"'{missing[0]}': expected the {kind_of(stream)} '{name}' of "
                    f"'{self.body.name}', got nothing. Send it in every observation."
                )
            if missing:
                continue
            key, value = parts[0].name, observation[parts[0].name]
            match stream:
                case Instruction():
                    words[name] = text(key, value)
                case Camera() | GoalImage():
                    arrays[name] = image(key, value)
                case Command():
                    arrays[name] = index(key, value)
                case State():
                    pieces = [_piece(part, observation[part.name]) for part in parts]
                    arrays[name] = self._state(name, stream, pieces)
                case _:
                    arrays[name] = numbers(key, value)
        return arrays, words

    def seen_by(self, arrays: Mapping[str, np.ndarray]) -> Embodiment:
        """The body, with images of the sizes that the client sends."""
        streams = {
            name: msgspec.structs.replace(
                stream, height=arrays[name].shape[0], width=arrays[name].shape[1]
            )
            if isinstance(stream, Camera | GoalImage) and name in arrays
            else stream
            for name, stream in self.body.observation.items()
        }
        return msgspec.structs.replace(self.body, observation=streams)

    def actions(self, chunk: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Turn a chunk, by action group, into what the client reads, by its keys.

        Returns:
            float32 (horizon, numbers) for each key.
        """
        told = dict(chunk)
        for (group, column), opening in self._moved.items():
            told[group] = told[group].copy()
            share = told[group][:, column]
            told[group][:, column] = opening.closed + share * (opening.open - opening.closed)
        return {
            key: np.concatenate([told[part.name][:, part.range] for part in parts], axis=1)
            for key, parts in self._actions.items()
        }

    def _state(self, name: str, stream: State, pieces: list[np.ndarray]) -> np.ndarray:
        state = np.concatenate(pieces)
        if state.size != stream.size:
            keys = " + ".join(part.name for part in self._streams[name])
            raise SpecMismatch(
                f"'{keys}': expected the {stream.size} numbers of '{name}' "
                f"({', '.join(stream.names)}), got {state.size}."
            )
        for (felt, column), opening in self._felt.items():
            if felt == name:
                state[column] = (state[column] - opening.closed) / (opening.open - opening.closed)
        return state

    def _check_streams(self) -> None:
        seen = self.body.observation
        for name in (*self._streams, *self._words):
            if name not in seen:
                raise UnknownName(f"stream of '{self.body.name}'", name, seen)
        for name in self._words:
            if not isinstance(seen[name], Instruction):
                raise BadConfig(
                    f"words.{name}: expected an instruction, got the {kind_of(seen[name])} "
                    f"'{name}' of '{self.body.name}'."
                )
        for name, stream in seen.items():
            parts = self._streams.get(name)
            if parts is None:
                if not stream.optional and name not in self._words:
                    raise BadConfig(
                        f"observation.{name}: expected the client's key for the "
                        f"{kind_of(stream)} '{name}' of '{self.body.name}', got nothing."
                    )
                continue
            sizes = [part.size for part in parts]
            if not isinstance(stream, State):
                if sizes != [None]:
                    raise BadConfig(
                        f"observation.{name}: expected one whole key for a {kind_of(stream)}, "
                        f"got {len(parts)} parts or a range."
                    )
            elif None not in sizes and sum(filter(None, sizes)) != stream.size:
                raise BadConfig(
                    f"observation.{name}: expected ranges of {stream.size} numbers in all "
                    f"({', '.join(stream.names)}), got {sum(filter(None, sizes))}."
                )

    def _check_actions(self, horizons: Mapping[str, int], withheld: tuple[str, ...]) -> None:
        moved = self.body.action
        used: dict[str, list[int]] = {name: [] for name in moved}
        for key, parts in self._actions.items():
            for part in parts:
                if part.name not in moved:
                    raise UnknownName(f"action group of '{self.body.name}'", part.name, moved)
                size = moved[part.name].size
                if part.size is not None and part.range.stop > size:
                    raise BadConfig(
                        f"action.{key}: expected a range within the {size} numbers of "
                        f"'{part.name}', got {part.range.start}:{part.range.stop}."
                    )
                used[part.name] += range(size)[part.range]
            if len(rows := {horizons[part.name] for part in parts}) > 1:
                raise BadConfig(
                    f"action.{key}: expected groups whose chunks have as many rows, "
                    f"got {', '.join(map(str, sorted(rows)))}. Give each a key of its own."
                )
        for name in withheld:
            if name not in moved:
                raise UnknownName(f"action group of '{self.body.name}'", name, moved)
        for name, group in moved.items():
            expected = [] if name in withheld else list(range(group.size))
            if sorted(used[name]) != expected:
                raise BadConfig(
                    f"action: expected each of the {len(expected)} numbers of '{name}' once, got "
                    f"{sorted(used[name])}. Map the group, or name it under `withheld`."
                )


def _parts(made: Parts) -> tuple[_Part, ...]:
    parts = []
    for told in (made,) if isinstance(made, str) else made:
        match = _PART.fullmatch(told)
        if match is None or (match["first"] and int(match["first"]) >= int(match["end"])):
            raise BadConfig(f"'{told}': expected a name, or a name and a range as in state[0:7].")
        if match["first"] is None:
            parts.append(_Part(match["name"], slice(None), None))
        else:
            first, end = int(match["first"]), int(match["end"])
            parts.append(_Part(match["name"], slice(first, end), end - first))
    if not parts:
        raise BadConfig("observation, action: expected at least one part, got an empty list.")
    return tuple(parts)


def _openings(
    groups: Mapping[str, Any], told: Mapping[str, Opening]
) -> dict[tuple[str, int], Opening]:
    """Find where the grippers' numbers stand: (stream or group, column)."""
    found = {}
    for path, opening in told.items():
        name, _, number = path.rpartition(".")
        numbers: State | ActionGroup | None = groups.get(name)
        if numbers is None or number not in getattr(numbers, "names", ()):
            known = [
                f"{group}.{one}"
                for group, spec in groups.items()
                for one in getattr(spec, "names", ())
            ]
            raise UnknownName("number of a gripper", path, known)
        column = numbers.names.index(number)
        if numbers.units[column] != "1":
            raise BadConfig(
                f"grippers: expected '{path}' to be how far a gripper is open, in the unit 1, "
                f"got one in {numbers.units[column]}."
            )
        found[name, column] = opening
    return found


def _piece(part: _Part, value: Any) -> np.ndarray:
    row = np.atleast_1d(numbers(part.name, value))
    if row.ndim != 1:
        raise SpecMismatch(f"'{part.name}': expected a row of numbers, got shape {row.shape}.")
    if part.size is not None and part.range.stop > row.size:
        raise SpecMismatch(
            f"'{part.name}': expected at least {part.range.stop} numbers, got {row.size}."
        )
    return row[part.range]
