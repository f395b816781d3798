"""The `octoverse` command: which commands there are, and how their errors are told.

A command's module is imported only when that command is asked for, so that help and listings
answer at once.
"""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from typing import Any

from octoverse.cli.complaints import complaint
from octoverse.errors import MissingExtra, UnknownName

_INTRODUCTION = """\
One policy, many bodies: train it on robot and driving data together, serve it over ZeroMQ, judge \
it closed-loop.

Every command has its own help: octoverse COMMAND --help. An error shows where it was raised with \
--debug, or with OCTOVERSE_DEBUG=1."""


@dataclass(frozen=True)
class Command:
    """One command: where its function lives and what the help says before it is imported."""

    target: str
    """module:function; the function's parameters are the command's options."""
    summary: str
    example: str


COMMANDS: Mapping[str, Command | Mapping[str, Command]] = {
    "demo": Command(
        "octoverse.cli.demo:demo",
        "Watch an arm and a car driven by one network; writes demo/report.html.",
        "octoverse demo",
    ),
    "train": Command(
        "octoverse.cli.train:train",
        "Train one policy on the data of many bodies.",
        "octoverse train --recipe real --data FOLDER",
    ),
    "recipes": Command(
        "octoverse.cli.recipes:recipes",
        "List the recipes: what they are, how large, and how fast here.",
        "octoverse recipes act",
    ),
    "eval": Command(
        "octoverse.cli.eval:evaluate",
        "Judge a checkpoint closed-loop in simulation.",
        "octoverse eval runs/mine --episodes 100",
    ),
    "serve": Command(
        "octoverse.cli.serve:serve",
        "Answer robots over ZeroMQ with a checkpoint.",
        "octoverse serve runs/mine",
    ),
    "bench": {
        "serve": Command(
            "octoverse.cli.bench.serve:serve",
            "Measure a policy server that runs: requests/s, times, batches, fairness.",
            "octoverse bench serve tcp://127.0.0.1:5555 --clients 32",
        ),
    },
    "keys": {
        "new": Command(
            "octoverse.cli.keys:new",
            "Make keys for a server or a robot: NAME.key, which is secret, and NAME.pub.",
            "octoverse keys new arm-7",
        ),
        "allow": Command(
            "octoverse.cli.keys:allow",
            "Let a robot use the server; one that runs heeds it at once.",
            "octoverse keys allow arm-7.pub",
        ),
        "list": Command(
            "octoverse.cli.keys:list_keys",
            "Show the keys that lie here, and the robots that are let in.",
            "octoverse keys list",
        ),
        "revoke": Command(
            "octoverse.cli.keys:revoke",
            "Let a robot in no longer; a server that runs refuses its next message.",
            "octoverse keys revoke arm-7",
        ),
    },
    "export": Command(
        "octoverse.cli.export:export",
        "Write only what serving needs of a checkpoint, in half the size if you like.",
        "octoverse export runs/mine mine --precision float16",
    ),
    "import": {
        "octo": Command(
            "octoverse.cli.interop:octo",
            "Turn a published Octo checkpoint into one of ours, without jax.",
            "octoverse import octo octo-small-1.5 imported --data-set bridge_dataset",
        ),
    },
    "embodiments": {
        "list": Command(
            "octoverse.cli.embodiments:list_bodies",
            "List the bodies that are installed.",
            "octoverse embodiments list",
        ),
        "show": Command(
            "octoverse.cli.embodiments:show",
            "Show what one body sees and does, with units and limits.",
            "octoverse embodiments show widowx",
        ),
        "check": Command(
            "octoverse.cli.embodiments:check",
            "Run random observations of one body through a small policy.",
            "octoverse embodiments check widowx",
        ),
        "new": Command(
            "octoverse.cli.embodiments:new",
            "Write a package for your own body.",
            "octoverse embodiments new my_arm",
        ),
    },
    "data": {
        "record": Command(
            "octoverse.cli.data.record:record",
            "Record scripted experts in simulation as a LeRobot data set.",
            "octoverse data record tabletop-lift recordings/lift",
        ),
        "inspect": Command(
            "octoverse.cli.data.inspect:inspect",
            "Say what a data set holds, and what it lacks.",
            "octoverse data inspect dobot-cr5 --root data",
        ),
        "stats": Command(
            "octoverse.cli.data.stats:stats",
            "Gather the statistics that scale states and actions.",
            "octoverse data stats dobot-cr5 --root data --out dobot-cr5.json",
        ),
        "mix": Command(
            "octoverse.cli.data.mix:mix",
            "Say what a mixture will deliver: frames, hours, shares, epochs, memory.",
            "octoverse data mix oxe/magic_soup --data FOLDER",
        ),
        "view": Command(
            "octoverse.cli.data.view:view",
            "Show an episode as one page: films, plots and a view from above.",
            "octoverse data view dobot-cr5 --root data --episode 3 --out episode.html",
        ),
        "convert": Command(
            "octoverse.cli.data.convert:convert",
            "Convert any data set into a LeRobot v3.0 folder, and check it.",
            "octoverse data convert dobot-cr5 converted/cr5 --root data --video",
        ),
        "doctor": Command(
            "octoverse.cli.data.doctor:doctor",
            "Say what is wrong with a data set, and what cannot be told from it.",
            "octoverse data doctor recordings/lift",
        ),
    },
}
_GROUPS = {
    "bench": "How fast things are: serve.",
    "import": "Checkpoints of other projects: octo.",
    "keys": "Keys of servers and robots that are not on one machine: new, allow, list, revoke.",
    "embodiments": "The bodies that are installed: list, show, check, new.",
    "data": "Data sets: record, inspect, doctor, stats, mix, view, convert.",
}


def main() -> None:
    """Run the command line and leave with its exit code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command line.

    Returns:
        0 when all went well, 1 for an error that has been told, 2 for a command line that cannot
        be understood.
    """
    debug = "--debug" in arguments or os.environ.get("OCTOVERSE_DEBUG", "0") not in ("", "0")
    arguments = [word for word in arguments if word != "--debug"]
    if list(arguments) == ["--version"]:
        print(f"octoverse {version('octoverse')}")
        return 0
    try:
        _dispatch(arguments)
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    except UnknownName as error:
        print(f"octoverse: {error}", file=sys.stderr)
        return 2 if error.kind == "command" else 1
    except BaseException as error:
        if debug:
            raise
        print(f"octoverse: {complaint(error)}", file=sys.stderr)
        return 1
    return 0


def _dispatch(arguments: Sequence[str]) -> None:
    try:
        import tyro
    except ModuleNotFoundError as error:
        raise MissingExtra("The command line", str(error.name), "policy") from error
    commands: Mapping[str, Command | Mapping[str, Command]] = COMMANDS
    path, introduction, words = "octoverse", _INTRODUCTION, [*arguments]
    if words and isinstance(group := commands.get(words[0]), Mapping):
        path, introduction = f"octoverse {words[0]}", _GROUPS[words.pop(0)]
        commands = group
    asked = words[0] if words else "--help"
    command = commands.get(asked)
    if isinstance(command, Command):
        tyro.cli(
            _function(command.target),
            prog=f"{path} {asked}",
            description=f"{command.summary}\n\nExample: {command.example}",
            args=words[1:],
        )
        return
    if not asked.startswith("-"):
        raise UnknownName("command", f"{path} {asked}", [f"{path} {name}" for name in commands])
    tyro.extras.subcommand_cli_from_dict(
        {name: _stub(name, one) for name, one in commands.items()},
        prog=path,
        description=introduction,
        args=words or ["--help"],
    )


def _function(target: str) -> Callable[..., Any]:
    module, _, name = target.partition(":")
    function: Callable[..., Any] = getattr(import_module(module), name)
    return function


def _stub(name: str, command: Command | Mapping[str, Command]) -> Callable[[], None]:
    def stub() -> None:
        raise AssertionError(f"{name} is run by its own parser")

    stub.__doc__ = (
        _GROUPS[name]
        if isinstance(command, Mapping)
        else f"{command.summary} Example: {command.example}"
    )
    return stub
