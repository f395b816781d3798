"""What kind of body one is, as published systems tell them apart."""

from octoverse.embodiment import (
    Embodiment,
    EndEffectorDelta,
    Gripper,
    JointPosition,
    JointVelocity,
    PathGroup,
    kind_of,
    rows_of,
)

_ARM = EndEffectorDelta | JointPosition | JointVelocity | Gripper


def main_and_wrists(body: Embodiment) -> list[str]:
    """The first camera and those at wrists, by name."""
    first = list(body.cameras)[:1]
    wrists = [name for name, camera in body.cameras.items() if "wrist" in camera.role]
    return list(dict.fromkeys([*first, *wrists]))


def drives(body: Embodiment) -> bool:
    """Whether it follows paths."""
    return any(isinstance(group, PathGroup) for group in body.action.values())


def moves_tool(body: Embodiment) -> bool:
    """Whether it is told where its tool is to go, not its joints."""
    return any(isinstance(group, EndEffectorDelta) for group in body.action.values())


def grippers(body: Embodiment) -> int:
    """How many grippers it has."""
    return sum(group.size for group in body.action.values() if isinstance(group, Gripper))


def action_classes(body: Embodiment, horizon: int) -> list[tuple[str, int, tuple[str, ...]]]:
    """Its action groups by class: what moves arms together, and everything else by itself.

    Args:
        body: The body.
        horizon: Control steps in a chunk.

    Returns:
        Name of the class, rows of a chunk, and the groups. Bodies of one class share the name, such
        as "end effector delta + gripper/4x7".
    """
    arm = tuple(name for name, group in body.action.items() if isinstance(group, _ARM))
    found = []
    for groups in [arm, *((name,) for name in body.action if name not in arm)]:
        if groups:
            specs = [body.action[name] for name in groups]
            rows = rows_of(specs[0], horizon)
            kinds, numbers = " + ".join(map(kind_of, specs)), sum(spec.size for spec in specs)
            found.append((f"{kinds}/{rows}x{numbers}", rows, groups))
    return found
