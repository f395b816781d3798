"""`octoverse demo`: an arm and a car driven by one network, live and on a page."""

import os
import shutil
import sys
import time
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Annotated

from rich.console import Console
from tyro.conf import arg

from octoverse.errors import BadConfig
from octoverse.evaluation import results
from octoverse.evaluation.evaluate import Evaluation, environments_for, served
from octoverse.evaluation.films import film
from octoverse.evaluation.fleet import Fleet
from octoverse.evaluation.host import ServerProcess
from octoverse.evaluation.live import Board
from octoverse.evaluation.machine import machine
from octoverse.evaluation.report import Report, png, write_report
from octoverse.evaluation.results import RowResult
from octoverse.evaluation.robot import Done, Live
from octoverse.servers.status import ServerStatus

QUICK, FULL = 10, 100
TRANSPORT = "served over ZeroMQ"


def demo(
    episodes: Annotated[int, arg(help="Episodes per row.")] = QUICK,
    full: Annotated[bool, arg(help=f"Play {FULL} episodes per row.")] = False,
    train: Annotated[
        bool, arg(help="Make the weights again from nothing first: record, then train.")
    ] = False,
    checkpoint: Annotated[
        Path | None, arg(help="A checkpoint's or a run's folder instead of the shipped weights.")
    ] = None,
    out: Annotated[Path, arg(help="Where report.html, results.json and picture.png go.")] = Path(
        "demo"
    ),
    robots: Annotated[int, arg(help="Robots at a time, each in a process of its own.")] = 4,
) -> None:
    """Watch an arm and a car driven by one network."""
    if episodes < 1 or robots < 1:
        raise BadConfig(f"episodes and robots must be at least 1, got {episodes} and {robots}.")
    if train and checkpoint is not None:
        raise BadConfig("demo takes either --train or --checkpoint, got both. Leave one out.")
    console, began = Console(), time.monotonic()
    folder = trained() if train else checkpoint or shipped()
    episodes = FULL if full else episodes
    with console.status(f"Starting a policy server with {folder}"):
        server = ServerProcess(folder)
    timings: list[dict[str, float]] = []
    with server, Fleet(server.address, robots) as fleet:
        stored = stored_table(server.folder)
        evaluation = Evaluation(environments_for(server.bodies), episodes)
        label = quick_label(episodes, stored)
        title = f"{server.model} at {server.address}: {label}"
        with Board(evaluation, title, console) as board:

            def tell(said: Live | Done) -> None:
                if isinstance(said, Done) and said.timing_ms:
                    timings.append(said.timing_ms)
                board.tell(said)

            served(evaluation, fleet, tell)
        status = server.status()
        with console.status("Filming"):
            films, picture = film(evaluation, fleet)
    rows = evaluation.rows(model=server.model, transport=TRANSPORT)
    report = Report(
        title="One network, many bodies",
        lead=lead(evaluation, robots),
        rows=rows,
        caption=label,
        stored=stored if stored != rows else {},
        films=films,
        latencies_ms={
            spec.row: [ms for one in evaluation.of(spec) for ms in one.latencies_ms]
            for spec in evaluation.specs
        },
        timing_ms={name: sum(t[name] for t in timings) / len(timings) for name in timings[0]},
        facts=facts(rows, status, robots, time.monotonic() - began),
        picture=picture,
    )
    write_report(report, out / "report.html")
    results.write(rows, out / "results.json")
    (out / "picture.png").write_bytes(png(picture))
    console.print(results.table(rows, label))
    console.print(
        f"Written in {time.monotonic() - began:.0f} s: {out / 'report.html'} (open it in a "
        f"browser), {out / 'results.json'}, {out / 'picture.png'}\n\n"
        f"What to try next{_where()}:\n"
        f"  {FULL} episodes per row: octoverse demo --full\n"
        f"  answer your own robot: octoverse serve {folder}\n"
        "  describe your own robot: octoverse embodiments new my_arm\n"
        "  train on recordings of real robots: octoverse train --recipe real --data FOLDER\n"
        "  make the demo's weights again from nothing: octoverse demo --train",
        highlight=False,
        soft_wrap=True,
    )


def _where() -> str:
    """How to bring the command into a shell that does not know it."""
    if shutil.which("octoverse"):
        return ""
    return f" (after: source {os.path.relpath(sys.prefix)}/bin/activate)"


def shipped() -> Path:
    """The weights that come with octoverse.

    Raises:
        BadConfig: if this installation has none.
    """
    folder = Path(str(files("octoverse"))) / "weights" / "demo"
    if not (folder / "config.json").is_file():
        raise BadConfig(
            f"{folder}: expected the demo's weights, found none. "
            "Make them with: octoverse demo --train; or give another with --checkpoint FOLDER."
        )
    return folder


def trained(run: Path = Path("runs/demo")) -> Path:
    """Record and train the demo's recipe; goes on where an earlier try stopped."""
    from octoverse.cli.train import train

    train(recipe="demo", out=run)
    return run


def stored_table(folder: Path) -> dict[str, RowResult]:
    """The table that came with the weights; empty if there is none."""
    path = folder / "results.json"
    return results.read(path) if path.is_file() else {}


def quick_label(episodes: int, stored: dict[str, RowResult]) -> str:
    """How much a table of so many episodes is worth, in words."""
    if episodes >= FULL:
        return f"{episodes} episodes per row"
    many = max((row.episodes for row in stored.values()), default=0)
    more = f"the stored table has {many}" if many else f"octoverse demo --full plays {FULL}"
    return f"{episodes} episodes per row, a quick look; {more}"


def lead(evaluation: Evaluation, robots: int) -> str:
    """What happened, in one paragraph."""
    bodies = dict.fromkeys(spec.embodiment.replace("_", " ") for spec in evaluation.specs)
    rows = [spec.row for spec in evaluation.specs]
    return (
        f"One transformer trunk drives every body here: {' and '.join(bodies)}. {robots} robots "
        "at a time, each in a process of its own, asked one policy server what to do, from what "
        f"their cameras saw and what they were told in words. Rows: {', '.join(rows)}."
    )


def facts(
    rows: dict[str, RowResult], status: ServerStatus, robots: int, seconds: float
) -> dict[str, str]:
    """How it was made, for the page's end."""
    one = next(iter(rows.values()))
    bodies = dict.fromkeys(f"{row.embodiment} {row.fingerprint}" for row in rows.values())
    worlds = (f"{row.environment} version {row.environment_version}" for row in rows.values())
    protocols: dict[str, list[str]] = {}
    for name, row in rows.items():
        protocols.setdefault(row.protocol, []).append(name)
    failed = [
        f"{name}: {', '.join(map(str, row.failed_seeds))}"
        for name, row in rows.items()
        if row.failed_seeds
    ]
    return {
        "Model": one.model,
        "Embodiments": ", ".join(bodies),
        "Environments": ", ".join(worlds),
        **{f"Protocol of {', '.join(names)}": words for words, names in protocols.items()},
        "Seeds": "{} to {}".format(*one.seeds) if one.seeds else "",
        "Seeds that failed": "; ".join(failed) or "none",
        "Recordings": "use other seeds (from 1048576 on): none of these scenes was trained on",
        "Transport": f"{TRANSPORT}, {robots} robots at a time",
        "Server": f"{status.answered} answers in {status.batches} batches, "
        f"{status.mean_batch:.2f} robots in a batch on average",
        "Versions": ", ".join(f"{name} {number}" for name, number in one.versions.items()),
        "Machine": machine(),
        "Made": f"{date.today().isoformat()} in {seconds:.0f} s",
    }
