"""`octoverse eval`: judge a checkpoint closed-loop in simulation."""

from pathlib import Path
from typing import Annotated

from rich.console import Console
from rich.progress import track
from tyro.conf import Positional, arg

from octoverse.errors import BadConfig
from octoverse.evaluation import results
from octoverse.evaluation.evaluate import Evaluation, environments_for, local, served
from octoverse.evaluation.fleet import Fleet
from octoverse.evaluation.host import ServerProcess
from octoverse.evaluation.live import Board


def evaluate(
    checkpoint: Annotated[Positional[Path], arg(help="A checkpoint's or a run's folder.")],
    environments: Annotated[
        tuple[str, ...], arg(help="Which; all that have a body of the checkpoint if not given.")
    ] = (),
    episodes: Annotated[int, arg(help="Episodes per environment; seeds are 0, 1, ...")] = 100,
    in_process: Annotated[
        bool, arg(name="local", help="Without a server, one episode after another.")
    ] = False,
    robots: Annotated[int, arg(help="Robots that ask the server at a time.")] = 4,
    execute: Annotated[
        int | None, arg(help="Control steps between two chunks; the body's default if not given.")
    ] = None,
    out: Annotated[Path, arg(help="Where the results go.")] = Path("results.json"),
) -> None:
    """Judge a checkpoint closed-loop in simulation, through a policy server of its own."""
    if episodes < 1 or robots < 1 or (execute is not None and execute < 1):
        raise BadConfig(
            "episodes, robots and execute must be at least 1, got "
            f"{episodes}, {robots} and {execute}."
        )
    console = Console()
    if in_process:
        evaluation, model = _local(checkpoint, environments, episodes, execute, console)
    else:
        with console.status(f"Starting a policy server with {checkpoint}"):
            server = ServerProcess(checkpoint)
        with server:
            specs = environments_for(server.bodies, environments)
            evaluation, model = Evaluation(specs, episodes, execute), server.model
            title = f"{model} at {server.address}"
            with Fleet(server.address, robots) as fleet, Board(evaluation, title, console) as board:
                served(evaluation, fleet, board.tell)
    transport = "in one process" if in_process else "served over ZeroMQ"
    rows = evaluation.rows(model=model, transport=transport)
    results.write(rows, out)
    console.print(results.table(rows, f"{model}, {episodes} episodes per row, {transport}"))
    console.print(f"Written: {out}", highlight=False, soft_wrap=True)


def _local(
    checkpoint: Path,
    environments: tuple[str, ...],
    episodes: int,
    execute: int | None,
    console: Console,
) -> tuple[Evaluation, str]:
    from octoverse import checkpoint as checkpoints

    policy = checkpoints.load(checkpoint)
    specs = environments_for(policy.bodies, environments)
    evaluation = Evaluation(specs, episodes, execute)
    jobs = len(evaluation.jobs())
    for _ in track(local(evaluation, policy), "episodes", total=jobs, console=console):
        pass
    return evaluation, policy.model
