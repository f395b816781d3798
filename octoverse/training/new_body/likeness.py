"""How alike two bodies are: which streams and action groups mean the same, or nearly."""

from collections.abc import Mapping

import torch

from octoverse import registry
from octoverse.batch import Batch, measured
from octoverse.embodiment import (
    ActionGroup,
    Camera,
    Command,
    EgoHistory,
    Embodiment,
    Instruction,
    NumericStream,
    PathGroup,
    Route,
    State,
    Stream,
    rate_of,
    rows_of,
    stream_shape,
)
from octoverse.errors import OctoverseError
from octoverse.readout import Codec, Reference, Scale
from octoverse.tokenizer import StreamBatch

SAME, NEAR, ALIKE, UNLIKE = 3, 2, 1, 0


def streams_like(one: Stream, other: Stream) -> int:
    """SAME if one tokenizer may read both.

    Cameras of different roles are NEAR where these share a word, as left_wrist and wrist do, and
    ALIKE otherwise.
    """
    match one, other:
        case Camera(), Camera():
            words = set(one.role.split("_")) & set(other.role.split("_"))
            return SAME if one.role == other.role else NEAR if words else ALIKE
        case State(), State():
            return SAME if (one.names, one.units) == (other.names, other.units) else UNLIKE
        case EgoHistory(), EgoHistory():
            return SAME if (one.steps, one.hz) == (other.steps, other.hz) else UNLIKE
        case Command(), Command():
            return SAME if one.names == other.names else UNLIKE
        case Route(), Route():
            return SAME if one.points == other.points else UNLIKE
        case Instruction(), Instruction():
            return SAME
    return UNLIKE


def groups_like(one: ActionGroup, other: ActionGroup) -> int:
    """SAME if both are the same numbers, ALIKE if only of one kind; limits do not matter."""
    if type(one) is not type(other):
        return UNLIKE
    return SAME if _numbers(one) == _numbers(other) else ALIKE


def nearest(body: Embodiment, others: Mapping[str, Embodiment]) -> list[str]:
    """The other bodies, those most like it first: by how they move, then by what they see."""
    return sorted(others, key=lambda name: _score(body, others[name]), reverse=True)


def moves_alike(body: Embodiment, other: Embodiment) -> bool:
    """Whether they have an action group of one kind."""
    return any(groups_like(a, b) for a in body.action.values() for b in other.action.values())


def codec_fits(name: str, body: Embodiment, groups: tuple[str, ...]) -> bool:
    """Whether a codec finds in this body what it refers to, found out by trying."""
    codec: Codec = registry.load("codec", name)()
    specs = [body.action[group] for group in groups]
    size = sum(spec.size for spec in specs)
    rows = rows_of(specs[0], 1)
    streams = {
        stream: StreamBatch(torch.zeros(1, 1, *stream_shape(spec)), torch.ones(1, 1).bool())
        for stream, spec in body.observation.items()
        if isinstance(spec, NumericStream)
    }
    now = measured(body, groups, Batch(streams, {}, {}, torch.zeros(1, dtype=torch.int64)))
    newest = {stream: values.values[:, -1] for stream, values in streams.items()}
    hz = rate_of(specs[0], body)
    scale = Scale(torch.zeros(size), torch.ones(size), torch.zeros(size), torch.ones(size))
    try:
        codec.encode(torch.zeros(1, rows, size), Reference(newest, scale, hz, now))
    except (OctoverseError, RuntimeError):  # a stream that is lacking, or a shape
        return False
    return True


def _score(body: Embodiment, other: Embodiment) -> tuple[int, int]:
    moved = (groups_like(a, b) for a in body.action.values() for b in other.action.values())
    seen = (
        streams_like(a, b) for a in body.observation.values() for b in other.observation.values()
    )
    return sum(moved), sum(seen)


def _numbers(group: ActionGroup) -> tuple[object, ...]:
    path = (group.steps, group.hz) if isinstance(group, PathGroup) else ()
    return (group.names, group.units, *path)
