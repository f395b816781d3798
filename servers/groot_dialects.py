"""How GR00T's clients write what robots see, and read what robots are to do.

N1.5 sends flat keys, "video.front" beside an annotation in words, for one robot or for many, and
reads flat actions. N1.6 and newer send maps of video, state and language for many robots, with
options beside them, and read the actions with information beside them; their simulations send flat
keys in the same envelope. A client is answered as it asked.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
import numpy as np

from octoverse.errors import BadMessage
from octoverse.servers.key_map import KeyMap

Dialect = Literal["n1.5", "n1.6"]
ROBOTS = 64
"""In one message."""
_NUMBERS = {"video": 4, "state": 2}
"""Dimensions of one robot's array: (frames, height, width, 3) and (frames, numbers)."""


@dataclass(frozen=True)
class Asked:
    """What one message asks."""

    robots: list[dict[str, Any]]
    """The newest frame of each, by flat keys."""
    has_envelope: bool
    is_nested: bool
    is_batch: bool

    def answer(self, actions: Sequence[Mapping[str, np.ndarray]]) -> Any:
        """Say what the robots are to do, in the way that they were asked about.

        Args:
            actions: For each robot, float32 (horizon, numbers) by key.
        """
        told = {
            name if self.is_nested else f"action.{name}": np.stack([one[name] for one in actions])
            if self.is_batch
            else actions[0][name]
            for name in actions[0]
        }
        return [told, {}] if self.has_envelope else told


def asked(data: Any, ignored: Collection[str]) -> Asked:
    """Read what a client sent with `get_action`.

    Args:
        data: What lay under "data".
        ignored: Flat keys that are not looked at.

    Raises:
        BadMessage: in words, unless it is in one of the dialects.
    """
    has_envelope = isinstance(data, dict) and "observation" in data
    observation = data["observation"] if has_envelope else data
    if not isinstance(observation, dict):
        raise BadMessage(
            f"observation: expected a map of keys, got a {type(observation).__name__}."
        )
    is_nested = any(isinstance(value, dict) for value in observation.values())
    flat = _flat(observation) if is_nested else observation
    flat = {key: value for key, value in flat.items() if key not in ignored}
    counts = {
        value.shape[0] if value.ndim > _dimensions(key) else None
        for key, value in flat.items()
        if isinstance(value, np.ndarray)
    }
    if len(counts) != 1:
        told = ", ".join(sorted("one robot" if n is None else f"{n} robots" for n in counts))
        raise BadMessage(
            f"observation: expected arrays for one number of robots, got {told or 'no arrays'}."
        )
    [count] = counts
    if not 1 <= (count or 1) <= ROBOTS or count == 0:
        raise BadMessage(f"observation: expected 1 to {ROBOTS} robots, got {count}.")
    robots: list[dict[str, Any]] = [{} for _ in range(count or 1)]
    for key, value in flat.items():
        for robot, one in zip(robots, _each(key, value, count), strict=True):
            robot[key] = one
    return Asked(robots, has_envelope, is_nested, count is not None)


def modality_config(key_map: KeyMap, dialect: Dialect) -> dict[str, Any]:
    """Say which keys are read and answered, as `get_modality_config` does.

    One frame is asked for, the newest: the server keeps the window itself.
    """
    prefix = dialect == "n1.5"
    keys: dict[str, list[str]] = {"video": [], "state": [], "language": []}
    for key in key_map.keys:
        kind, _, name = key.partition(".")
        if kind in _NUMBERS:
            keys[kind].append(key if prefix else name)
        else:
            keys["language"].append(key)
    steps = {kind: [0] for kind in keys}
    keys["action"] = [f"action.{key}" if prefix else key for key in key_map.horizons]
    steps["action"] = list(range(max(key_map.horizons.values())))
    found = {}
    for kind, names in keys.items():
        told: Any = {"delta_indices": steps[kind], "modality_keys": names}
        if dialect == "n1.5":
            told = msgspec.json.encode(told).decode()
        found[kind] = {"__ModalityConfig_class__": True, "as_json": told}
    return {kind: told for kind, told in found.items() if keys[kind]}


def _flat(observation: Mapping[Any, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for kind, values in observation.items():
        if kind not in (*_NUMBERS, "language") or not isinstance(values, dict):
            raise BadMessage(
                f"observation: expected maps of video, state and language, got {kind!r}: "
                f"a {type(values).__name__}."
            )
        for key, value in values.items():
            found[str(key) if kind == "language" else f"{kind}.{key}"] = value
    return found


def _dimensions(key: Any) -> int:
    return _NUMBERS.get(str(key).partition(".")[0], 2)


def _each(key: str, value: Any, count: int | None) -> Sequence[Any]:
    """Give the newest of what each robot has under a key."""
    if isinstance(value, np.ndarray):
        frames = value[None] if count is None else value
        if frames.ndim != _dimensions(key) + 1 or 0 in frames.shape:
            raise BadMessage(
                f"'{key}': expected {_dimensions(key)} dimensions, frames first, after that of the "
                f"robots if there are several, got {value.shape}."
            )
        return list(frames[:, -1])
    words = [value] if isinstance(value, str) or count is None else value
    if not isinstance(words, list) or len(words) != (count or 1):
        raise BadMessage(
            f"'{key}': expected the words of {count or 1} robots, "
            f"got {len(words) if isinstance(words, list) else 'no list'}."
        )
    return [_newest(key, one) for one in words]


def _newest(key: str, value: Any) -> Any:
    while isinstance(value, list):
        if not value:
            raise BadMessage(f"'{key}': expected words, got an empty list.")
        value = value[-1]
    return value
