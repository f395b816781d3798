"""What `octoverse serve` says once it listens: what it serves, where, for which bodies."""

from rich.console import Group
from rich.table import Table
from rich.text import Text

from octoverse.policy import Policy


def announcement(policy: Policy, address: str) -> Group:
    """Put it on one screen."""
    return Group(
        screen(policy, address),
        Text(
            "From a robot's program:\n"
            "  from octoverse import registry\n"
            "  from octoverse.servers.client import Client\n"
            f'  body = registry.load("embodiment", "{next(iter(policy.bodies))}")\n'
            f'  with Client("{address}", body) as robot:\n'
            "      chunk = robot.act(frame)\n\n"
            "Stop with Ctrl-C.",
        ),
    )


def screen(policy: Policy, address: str) -> Table:
    """What is served, where, for which bodies."""
    table = Table(
        "body",
        "Hz",
        "sees",
        "answers (rows of a chunk)",
        "fingerprint",
        title=f"{policy.model} serves at {address}",
        caption=f"window of {policy.frames} frame{'s' if policy.frames > 1 else ''}; "
        f"statistics: {policy.statistics}",
    )
    for name, body in policy.bodies.items():
        sizes = policy.camera_sizes[name]
        sees = [
            f"{stream} {sizes[stream][0]} x {sizes[stream][1]}" if stream in sizes else stream
            for stream in body.observation
        ]
        rows = [f"{group} ({count})" for group, count in policy.horizons[name].items()]
        table.add_row(
            name, f"{body.control_hz:g}", ", ".join(sees), ", ".join(rows), body.fingerprint
        )
    return table
