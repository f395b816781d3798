"""Which number of an action is measured by which number of the state, told from their names."""

import re
from dataclasses import dataclass
from typing import Literal

from octoverse.embodiment import (
    Embodiment,
    EndEffectorDelta,
    Gripper,
    JointPosition,
    JointVelocity,
    State,
)

Kind = Literal["delta", "velocity", "position", "gripper"]
KINDS: dict[type, Kind] = {
    EndEffectorDelta: "delta",
    JointVelocity: "velocity",
    JointPosition: "position",
    Gripper: "gripper",
}


@dataclass(frozen=True, kw_only=True)
class Pair:
    """One number of an action group and the number of a state that measures it."""

    name: str
    unit: str
    """Of the state."""
    number: int
    """In the group."""
    stream: str
    place: int
    """In the stream."""


def pairs_of(body: Embodiment, group: str) -> tuple[Pair, ...]:
    """What the state measures of one action group."""
    spec = body.action[group]
    found = []
    for number, name in enumerate(spec.names):
        place = _place(body, group, number)
        if place is not None:
            found.append(
                Pair(name=name, number=number, unit=place[2], stream=place[0], place=place[1])
            )
    return tuple(found)


def _place(body: Embodiment, group: str, number: int) -> tuple[str, int, str] | None:
    """Stream, place in it and unit of what measures one number."""
    spec = body.action[group]
    name, unit = spec.names[number], spec.units[number].removesuffix("/s")
    wanted = {name}
    if isinstance(spec, EndEffectorDelta):
        wanted = {re.sub(r"(^|_)d(x|y|z|roll|pitch|yaw)$", r"\1\2", name)}
    elif isinstance(spec, JointVelocity):
        wanted |= {re.sub(r"_?velocity$", "", name)}
    openings = []
    # Both arms of a body may number their joints alike: the stream of the group's name comes first.
    for stream in sorted(body.observation, key=lambda other: other != group):
        state = body.observation[stream]
        if not isinstance(state, State):
            continue
        for place, other in enumerate(state.names):
            same_unit = state.units[place] == unit or isinstance(spec, Gripper)
            if other in wanted and same_unit:
                return stream, place, state.units[place]
            if "opening" in other:
                openings.append((stream, place, state.units[place]))
    # One gripper and one opening belong together, however they are called.
    if isinstance(spec, Gripper) and spec.size == 1 and len(openings) == 1:
        return openings[0]
    return None
