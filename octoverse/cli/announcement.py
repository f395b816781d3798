"""What `octoverse serve` says once it listens, on one screen, however many bodies there are."""

from collections import defaultdict
from collections.abc import Mapping
from socket import gethostname

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from octoverse.acting import ActingPolicy

_FEW = 12
"""So many bodies have a line each."""
_WIDE = 30


def announcement(
    policy: ActingPolicy, address: str, places: Mapping[str, str], keys: str = ""
) -> RenderableType:
    """Say what is served, where, for which bodies, how to ask and how to stop.

    Args:
        policy: What is served.
        address: Where robots find it.
        places: What else is to be found where.
        keys: The name that the server's keys have, if it asks for keys.
    """
    facts = {
        "serves": policy.model,
        "statistics": policy.statistics,
        "sees": f"{policy.frames} frame{'s' if policy.frames > 1 else ''} at a time",
        "robots": address,
        **places,
    }
    body = next(iter(policy.bodies))
    there = address.replace("0.0.0.0", gethostname())
    lines = [
        "from octoverse import registry",
        "from octoverse.servers.client import Client",
        *(["from octoverse.servers.keys import ClientKeys"] if keys else []),
        f'body = registry.load("embodiment", "{body}")',
        *([f'keys = ClientKeys.load("NAME.key", "{keys}.pub")'] if keys else []),
        f'with Client("{there}", body{", keys=keys" if keys else ""}) as robot:',
        "    chunk = robot.act(frame)",
    ]
    return Group(
        "",
        _facts(facts),
        "",
        _one_by_one(policy) if len(policy.bodies) <= _FEW else _together(policy),
        "",
        Text("From a robot's program:", style="dim"),
        Text("\n".join(f"  {line}" for line in lines)),
        "",
        "Stop with Ctrl-C. What it has taken is answered first.",
    )


def _facts(facts: Mapping[str, str]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    for name, fact in facts.items():
        table.add_row(name, _line(fact, "bold" if name in ("serves", "robots") else ""))
    return table


def _one_by_one(policy: ActingPolicy) -> Table:
    """What each body sees and answers."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("body", no_wrap=True)
    table.add_column("Hz", justify="right", no_wrap=True)
    table.add_column("sees")
    table.add_column("rows of answers", no_wrap=True, overflow="ellipsis", max_width=_WIDE)
    for name, body in policy.bodies.items():
        sizes = policy.camera_sizes.get(name, {})
        sees = [
            f"{stream} {sizes[stream][0]}x{sizes[stream][1]}" if stream in sizes else stream
            for stream in body.observation
        ]
        table.add_row(name, f"{body.control_hz:g}", _line(", ".join(sees)), _answers(policy, name))
    return table


def _together(policy: ActingPolicy) -> Table:
    """Which bodies are answered alike."""
    alike: dict[str, list[str]] = defaultdict(list)
    for name, body in policy.bodies.items():
        alike[_answers(policy, name)].append(f"{name} {body.control_hz:g}\N{NO-BREAK SPACE}Hz")
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("rows of answers", no_wrap=True, overflow="ellipsis", max_width=_WIDE)
    table.add_column(f"{len(policy.bodies)} bodies")
    for answers, names in alike.items():
        table.add_row(answers, ", ".join(names))
    return table


def _line(words: str, style: str = "") -> Text:
    """Keep to one line, whatever its width."""
    return Text(words, style, no_wrap=True, overflow="ellipsis")


def _answers(policy: ActingPolicy, body: str) -> str:
    return ", ".join(f"{group} {rows}" for group, rows in policy.horizons[body].items())
