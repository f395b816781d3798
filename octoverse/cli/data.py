"""`octoverse data`: record scripted experts, and say what a data set holds."""

from pathlib import Path
from typing import Annotated

import numpy as np
from rich.console import Console
from rich.table import Table
from tyro.conf import Positional, arg

from octoverse.data.lerobot.source import LeRobotSource
from octoverse.data.source import Source, body_of
from octoverse.data.statistics import statistics_of
from octoverse.embodiment import Camera, Instruction
from octoverse.errors import BadData


def record(
    environment: Annotated[Positional[str], arg(help="Such as tabletop-lift or road-lane.")],
    folder: Annotated[Positional[Path], arg(help="Where the recording is or will be.")],
    episodes: Annotated[int, arg(help="How many the folder is to hold in the end.")] = 1000,
    seed: Annotated[int, arg(help="Decides every episode.")] = 0,
    noise: Annotated[
        float, arg(help="How strongly half of the episodes are disturbed; 0 for none.")
    ] = 0.4,
    processes: Annotated[int, arg(help="Worker processes.")] = 2,
    all_attempts: Annotated[bool, arg(help="Keep episodes in which the expert fails.")] = False,
) -> None:
    """Record scripted experts in simulation as a LeRobot v3 data set.

    Run it again to go on with a recording that was stopped, or to make it longer.
    """
    from octoverse.data.record import record as run

    found = run(
        environment,
        folder,
        episodes,
        seed=seed,
        noise=noise,
        processes=processes,
        only_success=not all_attempts,
    )
    rate = found.new_steps / max(found.seconds, 1e-9)
    print(
        f"{found.folder} holds {found.episodes} episodes, {found.steps} steps "
        f"({found.attempts} attempts and {found.new_steps} steps in {found.seconds:.0f} s, "
        f"{rate:.0f} steps/s)."
    )


def inspect(
    folder: Annotated[Positional[Path], arg(help="A LeRobot, RLDS or donkeycar folder.")],
    statistics: Annotated[bool, arg(help="Also read all numbers and show their spread.")] = True,
) -> None:
    """Say what a data set holds: body, episodes, streams, actions, instructions."""
    source = open_folder(folder)
    body, lengths, console = body_of(source), source.lengths(), Console()
    if not len(source):
        raise BadData(f"{folder}: the data set has no episode.")
    seconds = lengths.sum() / body.control_hz
    console.print(
        f"{source.name}: {len(source)} episodes of '{body.name}', {lengths.sum()} steps "
        f"({seconds / 60:.1f} min at {body.control_hz:g} Hz), "
        f"{lengths.min()} to {lengths.max()} steps each."
    )
    first = source.episode(0)
    streams = Table("stream", "what", "in the data")
    for name, stream in body.observation.items():
        kind = type(stream).__name__
        if name not in first.observation:
            streams.add_row(name, kind, "absent")
        elif isinstance(stream, Camera):
            one = first.observation[name][0]
            form = f"{len(one)} bytes, encoded" if isinstance(one, bytes) else str(one.shape)
            streams.add_row(name, kind, form)
        elif isinstance(stream, Instruction):
            said = {word for i in range(min(len(source), 200)) for word in _words(source, i, name)}
            shown = "; ".join(sorted(said)[:4]) + (" ..." if len(said) > 4 else "")
            streams.add_row(name, kind, f"{len(said)} different: {shown}")
        else:
            streams.add_row(name, kind, str(np.shape(first.observation[name][0])))
    console.print(streams)
    if statistics:
        console.print(_spread(source))


def open_folder(folder: Path) -> Source:
    """Find out what kind of data set a folder is, and open it."""
    if (folder / "meta").is_dir():
        return LeRobotSource(folder=folder)
    if (folder / "dataset_info.json").exists():
        from octoverse.data.rlds.source import RldsSource

        return RldsSource(folder=folder)
    if (folder / "manifest.json").exists():
        from octoverse.data.logs.donkeycar import DonkeycarSource

        return DonkeycarSource(folder=folder)
    raise BadData(
        f"{folder}: expected a LeRobot (meta/), RLDS (dataset_info.json) or donkeycar "
        "(manifest.json) folder, found none of these. Give the folder that holds that file."
    )


def _words(source: Source, index: int, name: str) -> set[str]:
    return set(source.episode(index).observation[name])


def _spread(source: Source) -> Table:
    found, body = statistics_of(source), body_of(source)
    table = Table("number", "unit", "1 %", "mean", "99 %", "std", "")
    for side, spec in (("observation", body.observation), ("action", body.action)):
        for group, stats in getattr(found, side).items():
            labels = getattr(spec[group], "names", None) or ("x", "y", "heading")
            near = stats.near_constant("quantile")
            for i, unit in enumerate(stats.units):
                numbers = (stats.q01[i], stats.mean[i], stats.q99[i], stats.std[i])
                note = "left alone" if stats.alone[i] else "near-constant" if near[i] else ""
                shown = (f"{value:.4g}" for value in numbers)
                table.add_row(f"{group}.{labels[i]}", unit, *shown, note)
    return table
