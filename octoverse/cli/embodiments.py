"""`octoverse embodiments`: list the installed bodies, show one, check one, start a new one."""

from typing import Annotated

import tyro
from rich.console import Console
from rich.table import Table

from octoverse import registry
from octoverse.cli.scaffold.write import write_package
from octoverse.embodiment import (
    ActionGroup,
    Camera,
    Command,
    EgoHistory,
    Embodiment,
    GoalImage,
    Instruction,
    PathGroup,
    Route,
    State,
    Stream,
    kind_of,
)
from octoverse.errors import OctoverseError

Name = Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="NAME")]


def list_bodies() -> None:
    """List the bodies that are installed."""
    table = Table("name", "control Hz", "sees", "moves", "fingerprint", "package", box=None)
    broken = []
    for name in registry.names("embodiment"):
        try:
            body: Embodiment = registry.load("embodiment", name)
        except OctoverseError as error:
            broken.append(str(error))
            continue
        table.add_row(
            name,
            f"{body.control_hz:g}",
            ", ".join(body.observation),
            ", ".join(f"{group} ({kind_of(spec)})" for group, spec in body.action.items()),
            body.fingerprint,
            registry.provider("embodiment", name),
        )
    _console().print(table)
    if broken:
        raise OctoverseError(" ".join(broken))


def show(name: Name) -> None:
    """Show what one body sees and does.

    Args:
        name: Which body; `octoverse embodiments list` names them.
    """
    body: Embodiment = registry.load("embodiment", name)
    console = _console()
    console.print(f"{body.name}  {body.control_hz:g} Hz  {body.fingerprint}", style="bold")
    console.print(f"when actions stop coming: {_stopping(body)}")
    sees = Table("sees", "kind", "shape and meaning", "needed")
    for stream_name, stream in body.observation.items():
        needed = "optional" if stream.optional else "yes"
        sees.add_row(stream_name, kind_of(stream), _meaning(stream), needed)
    moves = Table("moves", "kind", "one action")
    for group_name, group in body.action.items():
        moves.add_row(group_name, kind_of(group), _rows(group))
    numbers = Table("number", "unit", "low", "high")
    for where, part in {**body.observation, **body.action}.items():
        if isinstance(part, State | ActionGroup):
            for row in zip(part.names, part.units, part.low, part.high, strict=True):
                numbers.add_row(f"{where}.{row[0]}", row[1], f"{row[2]:g}", f"{row[3]:g}")
    for table in (sees, moves, numbers):
        console.print(table)


def check(name: Name) -> None:
    """Run random observations of one body through a small policy, and say what it is made of.

    Args:
        name: Which body; `octoverse embodiments list` names them.
    """
    from octoverse.cli.check import check_body

    _console().print(check_body(registry.load("embodiment", name)).table())


def new(name: Name) -> None:
    """Write a small package for your own body into ./octoverse-NAME.

    Args:
        name: What to call the body: lower case letters, digits and _.
    """
    folder = write_package(name)
    _console().print(
        f"Written: {folder}\n\nNext:\n"
        f"  pip install -e ./{folder}\n"
        f"  octoverse embodiments check {name}\n"
        f"Then put your body's cameras, joints and limits into {folder}/octoverse_{name}/"
        "embodiment.py.",
        soft_wrap=True,
    )


def _console() -> Console:
    console = Console(highlight=False, markup=False)  # markup would swallow units such as [m]
    if not console.is_terminal:  # a pipe has no width, and wrapped tables cannot be searched
        console.width = 240
    return console


def _stopping(body: Embodiment) -> str:
    stop = body.safe_stop
    if stop.kind == "brake":
        return f"brake along the last path at {stop.deceleration:g} m/s^2"
    return {"hold": "hold positions, deltas and velocities to zero", "zero": "all to zero"}[
        stop.kind
    ]


def _meaning(stream: Stream) -> str:
    match stream:
        case Camera():
            calibrated = ", calibrated" if stream.calibrated else ""
            return f"uint8 RGB {stream.height} x {stream.width}, {stream.role}{calibrated}"
        case GoalImage():
            return f"uint8 RGB {stream.height} x {stream.width}, goal for {stream.camera}"
        case State():
            return f"float32 ({stream.size},)"
        case EgoHistory():
            return f"float32 ({stream.steps}, 3): x [m], y [m], heading [rad] at {stream.hz:g} Hz"
        case Route():
            return f"float32 ({stream.points}, 2): x, y [m]"
        case Command():
            return "index of: " + ", ".join(stream.names)
        case Instruction():
            return "words"


def _rows(group: ActionGroup) -> str:
    if isinstance(group, PathGroup):
        return f"float32 ({group.steps}, {group.size}) at {group.hz:g} Hz"
    return f"float32 ({group.size},)"
